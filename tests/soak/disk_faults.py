# SPDX-License-Identifier: GPL-2.0-or-later
"""A cache device that lies about blocks, cannot read some, or vanishes and comes back.

Of the images that tests/verifier writes it is known which blocks stand where on the device, since
each sector says what it is. So it is known which may be lost, and only they may be: what else
cannot be read, or is not said, is an error.
"""
import mmap
import os
import re
import struct
import time

import expected
from stand import Failure, eventually

MAGIC = struct.pack('<Q', 0x6c63766572696679)
BLOCK = 4096
WAYS = ['flip', 'zeros', 'other', 'lie', 'unreadable']


class DiskFaults:
    """A part of the soak. It has its stand, rng, count, loads, nag, watch(), end_loads()."""

    # ------------------------------------------------------------ what stands where

    def may_be_bad(self, blocks):
        """(file, first, last): from now on they may be unreadable, and no others are."""
        with open(self.blocks().bad, 'w', encoding='ascii') as f:
            f.writelines('%d %d %d\n' % b for b in blocks)

    def blocks(self):
        return self.loads[0]

    def all_blocks(self):
        blocks = self.blocks()
        return [(i, 0, blocks.sectors // 8 - 1) for i in range(len(blocks.names))]

    def live_slots(self):
        """{place on the device: (file, block)} of what is the newest version of one there."""
        found, names, sectors = {}, self.blocks().names, self.blocks().sectors
        with open(self.blocks().journal, 'rb') as f:
            journal = f.read()
        versions = 32 + 56 * len(names)
        with open('%s/disk/%s' % (self.stand.work, self.stand.disk), 'rb') as f, \
                mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as disk:
            at = disk.find(MAGIC)
            while at >= 0:
                file, sector, version = struct.unpack_from('<3Q', disk, at + 8)
                place = at - at % BLOCK
                if at % 512 == 0 and file < len(names) and sector < sectors and \
                        sector % 8 == at % BLOCK // 512 and version == struct.unpack_from(
                            '<I', journal, versions + 4 * (file * sectors + sector))[0]:
                    found[place] = (file, sector // 8)
                    at = place + BLOCK - 1
                at = disk.find(MAGIC, at + 1)
        return found

    def is_there(self, place, which):
        """Still, and nothing else: the log goes on."""
        with open('%s/disk/%s' % (self.stand.work, self.stand.disk), 'rb') as f:
            f.seek(place)
            data = f.read(BLOCK)
        return any(data[i:i + 8] == MAGIC and
                   (struct.unpack_from('<Q', data, i + 8)[0],
                    struct.unpack_from('<Q', data, i + 16)[0] // 8) == which
                   for i in range(0, BLOCK, 512))

    def choose_slots(self):
        """Some, one behind the other or not."""
        live = self.live_slots()
        if not live:
            return {}
        n, places = self.rng.randrange(1, 7), sorted(live)
        if self.rng.random() < 0.5:
            at = self.rng.randrange(len(places))
            chosen = places[at:at + n]
        else:
            chosen = self.rng.sample(places, min(n, len(places)))
        return {place: live[place] for place in chosen}

    # ------------------------------------------------------------ rot

    def spoil(self, way, place, others):
        """The block there is not what was written from now on."""
        stand, rng = self.stand, self.rng
        stand.trace('disk: byte %d: %s' % (place, way))
        if way == 'lie':  # the device has the right one, and does not say it
            at = place + rng.randrange(BLOCK)
            stand.disk_fault('rot %s read from=%d to=%d heals=1' % (stand.disk, at, at + 1))
            return
        if way == 'unreadable':
            stand.disk_fault('fail %s read error=EIO from=%d to=%d heals=1' %
                             (stand.disk, place, place + BLOCK))
            return
        with open('%s/disk/%s' % (stand.work, stand.disk), 'r+b', buffering=0) as f:
            if way == 'other':
                f.seek(rng.choice(others))
                data = f.read(BLOCK)
            elif way == 'zeros':
                data = bytes(BLOCK)
            else:
                at = place + rng.randrange(BLOCK)
                f.seek(at)
                data = bytes([f.read(1)[0] ^ 1 << rng.randrange(8)])
                place = at
            f.seek(place)
            f.write(data)

    def fill_disk(self):
        """Dirty blocks of the images come to it, and stay for a while."""
        stand, number = self.stand, self.number_of(self.stand.caches[0])
        if number:
            stand.run(stand.program('lcfs/tools/lcctl'), 'attach', '-q', '-c', number,
                      *self.blocks().paths(stand.mnt), may_fail=True)
            for knob in ('allow_migrate', 'force_migrate'):
                stand.put('%s/.lcctl/caches/%s/%s' % (stand.mnt, number, knob), 0)
            self.watch(self.rng.uniform(0.5, 2))

    def fault_rot(self):
        """Blocks on the cache device go bad: what is clean is read from the image file; what is
        dirty is EIO, and said with image and byte. Never is it shown."""
        stand, rng = self.stand, self.rng
        if rng.random() < 0.8:
            self.fill_disk()
        if rng.random() < 0.6:
            self.end_loads()  # what goes bad is not soon written to again
        chosen = self.choose_slots()
        if not chosen:
            stand.trace('nothing is on the device that could rot')
            return
        way = self.way = rng.choice(WAYS)
        self.count['rots'] += 1
        self.rot_since = os.path.getsize(stand.log_path)
        self.count['spoilt'] += len(chosen)
        stand.trace('%s: %s' % (way, sorted(chosen.values())))
        self.rotten = rotten = set(chosen.values())
        self.may_be_bad([(i, b, b) for i, b in self.rotten])
        names = {name: i for i, name in enumerate(self.blocks().names)}
        self.rot_is_expected = [stand.expect(
            '(image[0-9]+): byte ([0-9]+): the only copy of this block, on the cache device, is',
            test=lambda m: (names[m[1]], int(m[2]) // BLOCK) in rotten)]
        if way == 'unreadable':
            self.rot_is_expected.append(stand.expect(
                expected.UNREADABLE % (re.escape(stand.caches[0]), expected.errors(5)),
                expected.STAYS % ('image[0-9]+', expected.errors(5))))
        others = sorted(set(self.live_slots()) - set(chosen))
        for place in chosen:
            if self.is_there(place, chosen[place]):
                self.spoil(way if others or way != 'other' else 'zeros', place, others)
        self.watch(rng.uniform(0.5, 4), may_stall=True)
        if way == 'lie' and rng.random() < 0.5:
            stand.disk_fault('clear')

    def look_at_rot(self):
        """After the load, as it ends: exactly what is said to be lost is, and writing it anew is a
        cure. The mount is another one then."""
        stand = self.stand
        if not self.rotten:
            return
        if self.rng.random() < 0.3:
            stand.run(stand.program('lcfs/tools/lcctl'), 'scrub', '-q', stand.mnt, may_fail=True)
        self.blocks().look(stand.mnt)
        before, was_heard = set(self.blocks().bad_ones), stand.is_heard
        if self.way == 'unreadable':  # a log that cannot be read is no log to be mounted
            stand.disk_fault('clear')
        stand.umount()
        self.count['umounts'] += 1
        stand.judge(True)
        out = stand.run(stand.program('lcfs/tools/fsck.lcfs'), '-n', stand.caches[0], may_fail=True)
        lost = re.findall('(?:blocks that were found damaged before|damaged blocks that are dirty)'
                          ': ([0-9]+);', out)
        self.mount()  # nothing is in RAM buffers
        self.blocks().look(stand.mnt, '-d', '-m')
        bad = set(self.blocks().bad_ones)
        if sum(map(int, lost)) != len(bad):
            raise Failure('fsck.lcfs knows of %s lost blocks, but these are: %s: %s' %
                          (lost, sorted(bad), out))
        stand.trace('unreadable: %s, before the remount: %s' % (sorted(bad), sorted(before)))
        self.count['lost'] += len(bad)
        if was_heard and stand.is_heard:
            self.all_is_said(bad)
        stand.disk_fault('clear')
        self.may_be_bad([])
        eventually(30, 'the end of damage', self.nothing_is_damaged)
        for e in self.rot_is_expected:
            stand.expect_no_more(e, 15)  # it is said by a thread that looks now and then
        self.rotten = set()

    def all_is_said(self, bad):
        """Of each image that has lost something. Of several blocks one is named."""
        for i in {file for file, _ in bad}:
            eventually(20, 'a word about %s' % self.blocks().names[i], lambda n=i: re.search(
                '%s: byte [0-9]+: the only copy' % self.blocks().names[n],
                self.stand.said(self.rot_since)))

    def nothing_is_damaged(self):
        where = self.stand.mnt + '/.lcctl/devices'
        for number in os.listdir(where):
            try:
                with open('%s/%s/damaged_blocks' % (where, number), encoding='ascii') as f:
                    if int(f.read()):
                        return False
            except FileNotFoundError:
                pass
        return True

    # ------------------------------------------------------------ it cannot be read, or is away

    def fault_reads(self):
        """For less than a second the device reads nothing: that is too short to give anything up.
        Whoever asks meanwhile may see an error, and nobody later."""
        stand = self.stand
        self.count['reads'] += 1
        self.may_be_bad(self.all_blocks())
        e = stand.expect(expected.UNREADABLE % (re.escape(stand.caches[0]), expected.errors(5)),
                         expected.STAYS % ('', expected.errors(5)),
                         '(.+): byte ([0-9]+): the only copy of this block')
        stand.disk_fault('fail %s read error=EIO ms=%d' % (stand.disk, self.rng.choice([20, 300])))
        self.watch(self.rng.uniform(0.5, 2), may_stall=True)
        self.end_loads()
        stand.disk_fault('clear')
        self.may_be_bad([])
        stand.expect_no_more(e, 5)

    def number_of(self, path):
        """Of the cache in the mount; None: it is not there."""
        where = self.stand.mnt + '/.lcctl/caches'
        return next((n for n in os.listdir(where)
                     if os.readlink('%s/%s/device' % (where, n)) == path), None)

    def fault_vanish(self):
        """The device is away. What only it had is lost, to the byte as it is said, until it is
        back, is taken out and put in again: then nothing is."""
        stand = self.stand
        path = stand.caches[0]
        self.count['vanished'] += 1
        # The old log knows nothing of files that come and go meanwhile.
        is_as_it_was = self.loads[1] not in self.running
        self.may_be_bad(self.all_blocks())
        e = stand.expect(*expected.of_device(path, expected.errors(5, 19)), expected.LOST_STAYS)
        stand.disk_fault('vanish ' + stand.disk)
        self.watch(self.rng.uniform(0.5, 4), may_stall=True)
        self.end_loads()
        number = self.number_of(path)
        if number and path in self.given_up():
            self.account_for_loss()
        stand.disk_fault('clear')
        if number:
            self.put_back(number, path, is_as_it_was)
        self.may_be_bad([])
        stand.expect_no_more(e)
        for load in self.loads:
            self.count['blocks verified'] += load.look(stand.mnt)

    def put_back(self, number, path, is_as_it_was):
        """With what it holds, or made anew."""
        lcctl, mnt = self.stand.program('lcfs/tools/lcctl'), self.stand.mnt
        end = time.monotonic() + 60
        while self.number_of(path):
            out = self.stand.run(lcctl, 'remove', '-q', '-m', mnt, number, may_fail=True)
            if time.monotonic() > end:
                raise Failure('the device is back, but cannot be removed: ' + out)
        if not is_as_it_was:
            self.stand.run(*self.stand.again[path])
        self.stand.run(lcctl, 'add', '-q', '-m', mnt, path)

    def account_for_loss(self):
        """What is unreadable was said to be lost, with image and bytes; how much it is, is told."""
        blocks, stand = self.blocks(), self.stand

        def agrees():
            # An open has what is lost tried once more, and it is told when it is not.
            time.sleep(3)
            blocks.look(stand.mnt, '-d')
            bad, told = blocks.bad_ones, self.told_as_lost()
            with open('%s/.lcctl/caches/%s/reason' % (stand.mnt, self.number_of(stand.caches[0])),
                      encoding='utf-8') as f:
                lost = re.search('; ([0-9]+) bytes that only it had are lost', f.read())
            stand.trace('unreadable: %s, told: %s' % (bad, lost and lost[1]))
            return len(bad) * BLOCK <= int(lost[1] if lost else 0) and not (
                stand.is_heard and [
                    (file, b) for file, b in bad
                    if not any(first <= b <= last for first, last in told.get(file, []))])
        eventually(30, 'an account of what is lost', agrees)
        self.count['away'] += len(blocks.bad_ones)
        if self.rng.random() < 0.5:
            blocks.look(stand.mnt, '-m')

    def told_as_lost(self):
        """{file: [(first block, last block)]}; a long list is cut off."""
        told = {}
        for name, ranges in re.findall(
                '(image[0-9]+): [0-9]+ blocks of 4 KiB were only on the cache device that is '
                'lost \\(bytes ([^)]*)\\)', self.stand.said()):
            told.setdefault(self.blocks().names.index(name), []).extend(
                [(int(first) // BLOCK, int(last) // BLOCK)
                 for first, last in re.findall('([0-9]+) to ([0-9]+)', ranges)] +
                ([(0, 1 << 40)] if 'and more' in ranges else []))
        return told
