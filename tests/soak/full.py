# SPDX-License-Identifier: GPL-2.0-or-later
"""A log that is full all the time, over a disk that is slow or full, in memory that is short.

Cases, each for --seconds:
  knobs   the smallest cache there is, written to by verified writers, while every knob changes
  slow    a disk of 150 requests a second: with a full cache it is no slower than by itself
  space   the backing filesystem has no room, until it has again
  memory  the daemon in one memory group, buffered writers on a loop device in another, and too
          little in each

Somebody must always get an answer, but where there is no room for what is written. What was written
is verified. A line a case says how long requests took, as fio sees it.
"""
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import harness  # noqa: E402
from loads import Blocks  # noqa: E402
from nag import Nag  # noqa: E402
from stand import GROUPS, Failure, eventually, is_gone, limit  # noqa: E402

CASES = ['knobs', 'slow', 'space', 'memory']
BLKIO = '/sys/fs/cgroup/blkio'
IOPS = 150
SLOW_MIB = 400  # hardly any two random blocks are neighbours, or are written twice
ANSWER = 30  # seconds in which something must be answered


class Full:
    """The cases."""

    def __init__(self, args, stand, rng, *_):
        self.args, self.stand, self.rng = args, stand, rng
        self.blocks, self.nag, self.groups, self.verified = None, None, [], 0
        self.begin = time.monotonic()
        self.last = (0, self.begin)  # progress, and since when

    def summary(self, errors):
        return '%d s, %d blocks verified, %d errors' % (time.monotonic() - self.begin,
                                                        self.verified, errors)

    def end(self):
        if self.nag:
            self.nag.stop()
        for group in self.groups:
            try:
                with open(group + '/cgroup.procs', encoding='ascii') as f:
                    for pid in f.read().split():
                        self.stand.put(os.path.dirname(group) + '/cgroup.procs', pid)
                eventually(10, group, lambda g=group: not os.path.exists(g) or not os.rmdir(g))
            except (OSError, Failure) as e:
                self.stand.trace('%s: %s' % (group, e))
        self.groups, self.stand.in_group = [], None

    # ------------------------------------------------------------ parts

    def cache(self, mib, order):
        """A new one, the only one; the smallest possible with 0 MiB."""
        stand = self.stand
        path = '%s/cache%d' % (stand.work, len(stand.all_caches))
        size = mib << 20
        if not mib:  # the message of mkfs.lcfs says what it takes
            with open(path, 'wb') as f:
                f.truncate(1 << 20)
            out = stand.run(stand.program('lcfs/tools/mkfs.lcfs'), '-q',
                            '--segment-order=%d' % order, path, may_fail=True)
            size = int(re.search('and ([0-9]+) are needed', out).group(1))
        with open(path, 'wb') as f:
            f.truncate(size)
        stand.run(stand.program('lcfs/tools/mkfs.lcfs'), '-q', '--segment-order=%d' % order, path)
        stand.all_caches.append(path)
        stand.caches = [path]
        return size

    def start(self, options, group=None):
        stand = self.stand
        stand.fixed_options = 'cache=%s,%s' % (stand.caches[0], options)
        stand.in_group = group
        stand.mount()

    def start_blocks(self, may_refuse=False):
        self.blocks.start(self.stand.mnt, 'write' if may_refuse else '')
        self.last = (-1, time.monotonic())

    def writers(self, name, files, mib):
        os.mkdir('%s/%s' % (self.stand.mnt, name))
        self.blocks = Blocks(self.stand, self.rng, files, mib)
        self.blocks.names = ['%s/%s' % (name, n) for n in self.blocks.names]
        self.blocks.prepare(self.stand.mnt)

    def must_progress(self, seconds, alive=()):
        """So long; an answer must come every few seconds, also over several calls."""
        end = time.monotonic() + seconds
        longest = 0.0
        while time.monotonic() < end:
            time.sleep(0.05)
            n, now = self.blocks.progress(), time.monotonic()
            if n != self.last[0]:
                longest = max(longest, now - self.last[1])
                self.last = (n, now)
            if now - self.last[1] > limit(ANSWER):
                raise Failure('nothing is answered for %d s' % limit(ANSWER))
            for load in (self.blocks, *alive):
                if not load.is_running():
                    raise Failure('load %s has ended: %s' % (load.name, load.said()))
            if self.nag and self.nag.wrong:
                raise Failure(self.nag.wrong)
        return longest

    def fio(self, seconds, path, *options, group=None):
        """4 KiB random writes, in that group; its json."""
        into = ['sh', '-c', 'echo $$ >"$0/cgroup.procs"; exec "$@"', group] if group else []
        out = self.stand.run(*into, 'fio', '--name=w', '--filename=' + path, '--rw=randwrite',
                             '--bs=4k', '--direct=1', '--size=32m', '--time_based',
                             '--runtime=%d' % seconds, '--ioengine=libaio',
                             '--output-format=json', *options, seconds=seconds + 120)
        return json.loads(out[out.index('{'):])['jobs'][0]['write']

    @staticmethod
    def latency(write):
        ns = write['clat_ns']
        p = ns.get('percentile', {})
        return '%.0f requests a second, ms: p50 %.2f, p99 %.1f, p99.9 %.1f, max %.1f' % (
            write['iops'], *(p.get(k, 0) / 1e6 for k in ('50.000000', '99.000000', '99.900000')),
            ns['max'] / 1e6)

    def finish(self):
        """All is there, now, after a remount, and in the plain files."""
        stand = self.stand
        self.verified += self.blocks.look(stand.mnt)
        stand.umount()
        stand.mount()
        self.verified += self.blocks.look(stand.mnt)
        stand.run(stand.program('lcfs/tools/lcctl'), 'drain', '-q', stand.mnt, seconds=300)
        stand.umount()
        self.verified += self.blocks.look(stand.back)
        stand.judge(True)

    def stop_nag(self):
        self.nag.stop()
        eventually(60, 'the end of the nag', lambda: not self.nag.is_alive())
        self.nag = None

    def group(self, controller, **values):
        group = '%s/lcfs-soak-%d-%d' % (controller, os.getpid(), len(self.groups))
        os.mkdir(group)
        self.groups.append(group)
        for name, value in values.items():
            self.stand.put('%s/%s' % (group, name.replace('__', '.')), value)
        return group

    # ------------------------------------------------------------ cases

    def case_knobs(self):
        size = self.cache(0, 5)
        self.start('ram_buffers=2')
        self.writers('knobs', 3, 2)
        self.start_blocks()
        self.nag = Nag(self.stand, self.rng.getrandbits(32), ['knob'])
        self.nag.start()
        with open(self.stand.mnt + '/fio', 'wb') as f:
            f.truncate(32 << 20)
        w = self.fio(self.args.seconds, self.stand.mnt + '/fio', '--iodepth=4')
        self.last = (-1, time.monotonic())
        longest = self.must_progress(1)
        n = self.nag.counts.get('knob', 0)
        self.stop_nag()
        self.blocks.stop()
        self.blocks.join()
        print('knobs: cache of %d KiB, %d changes of knobs: %s' %
              (size >> 10, n, self.latency(w)), flush=True)
        self.stand.trace('longest pause %.1f s' % longest)
        os.unlink(self.stand.mnt + '/fio')
        self.finish()

    def case_slow(self):
        stand = self.stand
        if not os.access(BLKIO + '/blkio.throttle.write_iops_device', os.W_OK):
            print('slow: left out: no blkio controller of cgroup v1', flush=True)
            return
        number = stand.run('lsblk', '-dno', 'MAJ:MIN', stand.store_device).strip()
        group = self.group(BLKIO, blkio__throttle__write_iops_device='%s %d' % (number, IOPS),
                           blkio__throttle__read_iops_device='%s %d' % (number, IOPS))
        self.cache(24, 9)
        self.start('ram_buffers=8', group)
        self.writers('slow', 1, 4)
        size, seconds = '--size=%dm' % SLOW_MIB, max(8, self.args.seconds)
        with open(stand.mnt + '/fio', 'wb') as f:
            os.posix_fallocate(f.fileno(), 0, SLOW_MIB << 20)
        self.fio(3, stand.mnt + '/fio', '--iodepth=32', size)  # the log fills
        self.start_blocks()
        self.must_progress(1)
        self.blocks.stop()
        self.blocks.join()
        w = self.fio(seconds, stand.mnt + '/fio', '--iodepth=32', size)
        print('slow: full log: %s' % self.latency(w), flush=True)
        stand.run(stand.program('lcfs/tools/lcctl'), 'drain', '-q', stand.mnt, seconds=900)
        plain = stand.work + '/store/fio'
        with open(plain, 'wb') as f:
            os.posix_fallocate(f.fileno(), 0, SLOW_MIB << 20)
        d = self.fio(seconds, plain, '--iodepth=32', size, group=group)
        os.unlink(plain)
        print('slow: the disk: %s' % self.latency(d), flush=True)
        if w['iops'] < d['iops']:
            raise Failure('%.0f requests a second, less than the disk has' % w['iops'])
        self.end()
        os.unlink(stand.mnt + '/fio')
        self.finish()

    def case_space(self):
        stand = self.stand
        self.cache(24, 8)
        self.start('ram_buffers=4,force_migrate=1')
        self.writers('space', 2, 16)
        ballast = stand.work + '/store/ballast'
        self.start_blocks(may_refuse=True)
        self.must_progress(1)
        try:
            stand.run('dd', 'if=/dev/zero', 'of=' + ballast, 'bs=1M', may_fail=True)
            time.sleep(self.args.seconds / 2)
            state = stand.run('cat', stand.mnt + '/.lcctl/status')
            before = self.blocks.progress()
        finally:
            os.unlink(ballast)
        begin = time.monotonic()
        eventually(90, 'an answer after there is room again',
                   lambda: self.blocks.progress() > before)
        waited = time.monotonic() - begin
        self.last = (-1, time.monotonic())
        self.must_progress(1)
        self.blocks.stop()
        self.blocks.join()
        print('space: answers %.1f s after there was room again; %s' %
              (waited, 'segments' in state and re.search('[0-9]+ of [0-9]+ segments free',
                                                         state).group(0)), flush=True)
        self.finish()

    def case_memory(self):
        stand, mib = self.stand, 96
        # Not in one: where the daemon is no I/O flusher (CAP_SYS_RESOURCE), its own group's reclaim
        # would have it wait for the writes that it is to serve.
        try:
            group = self.group(GROUPS, memory__limit_in_bytes=mib << 20)
            users = self.group(GROUPS, memory__limit_in_bytes=mib << 19)
        except OSError as e:
            print('memory: left out: no memory controller of cgroup v1 (%s)' % e, flush=True)
            return
        self.cache(24, 8)
        self.start('ram_buffers=4', group)
        self.writers('memory', 2, 16)
        with open(stand.mnt + '/disk', 'wb') as f:
            f.truncate(256 << 20)
        for options in ([], ['--direct-io=on']):
            stand.run('mkfs.ext4', '-qF', '-E', 'lazy_itable_init=0', stand.mnt + '/disk')
            device = stand.attach(stand.mnt + '/disk', *options)
            stand.mount_fs(device, stand.work + '/inner')
            self.start_blocks()
            command = 'echo $$ >"$1/cgroup.procs"; for i in 1 2; do ' \
                      'dd if=/dev/urandom of="$2/file$i" bs=1M count=90 conv=fsync & done; wait'
            child = subprocess.Popen(['sh', '-c', command, 'sh', users, stand.work + '/inner'],
                                     stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            begin = time.monotonic()
            while child.poll() is None:
                self.must_progress(0.5)
                if is_gone(stand.pid):
                    raise Failure('the daemon has died in its memory group')
                if time.monotonic() - begin > limit(240):
                    raise Failure('buffered writers do not end within %d s' % limit(240))
            took = time.monotonic() - begin
            self.blocks.stop()
            self.blocks.join()
            self.stand.trace('writers have ended')
            for n in (1, 2):
                if os.path.getsize('%s/inner/file%d' % (stand.work, n)) != 90 << 20:
                    raise Failure('file%d has not been written' % n)
            stand.umount_fs(stand.work + '/inner')
            stand.run('e2fsck', '-fn', device)
            stand.detach(device)
            print('memory: %d MiB for lcfs, %d for 180 MiB of buffered writes, loop %s: %.1f s'
                  % (mib, mib // 2, ' '.join(options) or '(buffered)', took), flush=True)
        os.unlink(stand.mnt + '/disk')
        self.finish()
        self.end()

    def run(self):
        self.stand.make_store(1024)
        self.stand.expect('cannot .*: No space left on device')
        for case in self.args.cases:
            self.stand.trace('case ' + case)
            getattr(self, 'case_' + case)()


def main():
    p = harness.parser('full', __doc__)
    p.add_argument('--seconds', type=int, default=60, metavar='N', help='of each case (60)')
    p.add_argument('--cases', default=','.join(CASES), metavar='LIST',
                   help='some of ' + ','.join(CASES))
    args = p.parse_args()
    args.cases = args.cases.split(',')
    if any(c not in CASES for c in args.cases):
        p.error('--cases: one of %s' % args.cases)
    harness.check_build(p, args)
    return harness.run('full', args, Full)


if __name__ == '__main__':
    sys.exit(main())
