# SPDX-License-Identifier: GPL-2.0-or-later
"""What an admin does to a mount while it is written to, at random, and too often."""
import json
import os
import random
import subprocess
import threading

from stand import limit

KNOBS = {
    'allow_migrate': [0, 1],
    'force_migrate': [0, 1],
    'migrate_threshold': [0, 10, 70, 100],
    'nr_max_batched_migration': [1, 2, 16, 1000],
    'barrier_deadline_ms': [0, 1, 3, 50],
    'flush_current_buffer_interval': [0, 1, 5],
    'commit_super_block_interval': [0, 1, 5],
    'update_interval': [0, 1, 3],
}
HANGS_AFTER = 120


class Nag(threading.Thread):
    """One thing after the other until stop(). What fails because the mount goes away is nothing;
    what hangs, or what is told wrongly, is in wrong."""

    def __init__(self, stand, seed, actions, may_detach=True):
        super().__init__(daemon=True)
        self.stand, self.rng, self.actions = stand, random.Random(seed), actions
        self.lowest_cache = 0 if may_detach else 1
        self.wrong, self.is_ending = None, threading.Event()
        self.child = None
        self.counts = {}

    def stop(self):
        self.is_ending.set()

    def run(self):
        while not self.is_ending.wait(self.rng.choice([0.01, 0.1, 0.3])):
            name = self.rng.choice(self.actions)
            try:
                getattr(self, name)()
                self.counts[name] = self.counts.get(name, 0) + 1
            except OSError as e:
                self.stand.trace('%s: %s' % (name, e))
            if self.wrong:
                return

    def control(self, *names):
        return os.path.join(self.stand.mnt, '.lcctl', *names)

    def tool(self, *words):
        """A command that takes part in the end of the mount, one way or the other."""
        self.stand.trace('nag: ' + ' '.join(words))
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, errors='replace')
        try:
            out = self.child.communicate(timeout=limit(HANGS_AFTER))[0]
        except subprocess.TimeoutExpired:
            self.wrong = 'hangs for %d s: %s' % (limit(HANGS_AFTER), ' '.join(words))
            return ''
        if self.child.returncode < 0 and not self.is_ending.is_set():
            self.wrong = 'status %d: %s' % (self.child.returncode, ' '.join(words))
        if self.child.returncode:
            self.stand.trace('nag: status %d: %s' % (self.child.returncode, out.strip()[-300:]))
        return out

    def lcctl(self, *words):
        return self.tool(self.stand.program('lcfs/tools/lcctl'), *words)

    # ------------------------------------------------------------ actions

    def knob(self):
        cache = self.rng.choice(os.listdir(self.control('caches')))
        name = self.rng.choice(list(KNOBS))
        value = self.rng.choice(KNOBS[name])
        self.stand.trace('nag: cache %s: %s=%d' % (cache, name, value))
        self.stand.put(self.control('caches', cache, name), value)

    def read(self):
        for path, _, names in os.walk(self.control()):
            for name in names:
                try:
                    with open(os.path.join(path, name), 'rb') as f:
                        text = f.read()
                except OSError:  # an image has gone meanwhile, or a file cannot be read at all
                    continue
                if name == 'stats.json':
                    self.parse(text)
                if self.is_ending.is_set():
                    return

    def parse(self, text):
        try:
            json.loads(text)
        except ValueError as e:
            if not self.stand.has_died:
                self.wrong = 'stats.json: %s' % e

    def look(self):
        mnt = self.stand.mnt
        self.lcctl(*self.rng.choice([['status', mnt], ['status', '--json', mnt], ['list', mnt],
                                     ['list', '-a', '-m', mnt], ['iostat', '-m', mnt],
                                     ['get', '-m', mnt], ['flush', mnt]]))

    def drain(self):
        self.lcctl('drain', '-q', self.stand.mnt)

    def drain_image(self):
        self.lcctl('drain', '-q', self.stand.mnt + '/image0')

    def move(self):
        device = self.rng.choice(os.listdir(self.control('devices')))
        self.tool('sh', '-c', 'echo "$2" >"$1"', 'sh', self.control('devices', device, 'cache_id'),
                  str(self.rng.randrange(self.lowest_cache, 3)))

    def come_and_go(self):
        """One of two caches leaves the mount, and joins it again."""
        numbers = os.listdir(self.control('caches'))
        if len(numbers) == 2:
            number = self.rng.choice(numbers)
            path = os.readlink(self.control('caches', number, 'device'))
            self.lcctl('remove', '-q', '-m', self.stand.mnt, number)
        else:
            here = os.readlink(self.control('caches', numbers[0], 'device'))
            path = next((p for p in self.stand.caches if p != here), None)
        if path and not self.is_ending.is_set():
            self.lcctl('add', '-q', '-m', self.stand.mnt, path)
