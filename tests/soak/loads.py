# SPDX-License-Identifier: GPL-2.0-or-later
"""What writes in the soak, and knows what must be there."""
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

from stand import Failure, eventually, limit

HERE = os.path.dirname(os.path.abspath(__file__))


class Load:
    """A child process that writes, and a check of what it wrote."""
    name = ''

    def __init__(self, stand, rng):
        self.stand, self.rng, self.child, self.ops = stand, rng, None, 0
        self.is_stopped = False
        self.out = '%s/%s.out' % (stand.work, self.name)

    def spawn(self, command):
        self.stand.trace(' '.join(command))
        with open(self.out, 'wb') as out:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.stand.children.append(self.child)
        self.is_stopped = False

    def said(self):
        with open(self.out, encoding='utf-8', errors='replace') as f:
            return f.read().strip()[-3000:]

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def stop(self):
        """TERM ends it between two operations; the daemon's death ends it too."""
        if self.is_running():
            self.is_stopped = True
            self.child.send_signal(signal.SIGTERM)

    def join(self):
        if self.child is None:
            return
        eventually(120, 'the end of the load %s' % self.name, lambda: not self.is_running())
        status, self.child = self.child.returncode, None
        # TERM may come before it is waited for: then nothing was done yet.
        if status and not (self.is_stopped and status == -signal.SIGTERM):
            raise Failure('load %s: status %d: %s' % (self.name, status, self.said()))

    def look(self, where):
        """Compares everything below where. The number of blocks looked at."""
        raise NotImplementedError


class Blocks(Load):
    """Images of versioned sectors (tests/verifier)."""
    name = 'blocks'

    def __init__(self, stand, rng, files, mib):
        super().__init__(stand, rng)
        self.journal = stand.work + '/blocks.journal'
        self.bad, self.bad_ones = stand.work + '/blocks.bad', []
        with open(self.bad, 'w', encoding='ascii'):
            pass
        self.names = ['image%d' % i for i in range(files)]
        self.sectors = mib * 2048
        self.program = stand.program('tests/verifier')
        stand.run(self.program, 'init', self.journal, str(files), str(self.sectors),
                  str(rng.getrandbits(32)))

    def prepare(self, mnt):
        for name in self.names:
            with open('%s/%s' % (mnt, name), 'wb') as f:
                f.truncate(self.sectors * 512)

    def paths(self, where):
        return ['%s/%s' % (where, name) for name in self.names]

    def start(self, mnt, may_refuse):
        flags = self.rng.choice([[], ['-d'], ['-u'], ['-d', '-u']])
        if may_refuse:
            flags = flags + ['-e']
        self.spawn([self.program, 'write', *flags, '-x', self.bad, self.journal, *self.paths(mnt)])

    def progress(self):
        """Requests so far; grows while the daemon answers."""
        with open(self.journal, 'rb') as f:
            head = f.read(32 + 56 * len(self.names))
        n = 0
        for i in range(len(self.names)):
            version, _, _, _, _, syncs, punches = struct.unpack_from('<7Q', head, 32 + 56 * i)
            n += version + syncs + punches
        self.ops = n
        return n

    def look(self, where, *flags):
        """Those that cannot be read, and may be so, are in bad_ones: (file, block)."""
        out = self.stand.run(self.program, 'check', *(flags or self.rng.choice([[], ['-d']])), '-x',
                             self.bad, self.journal, *self.paths(where), seconds=300)
        self.bad_ones = [(int(file), int(block)) for file, block in
                         re.findall('unreadable ([0-9]+) ([0-9]+)', out)]
        return len(self.names) * self.sectors // 8


class Files(Load):
    """Files with names that come and go (tests/filestorm)."""
    name = 'files'

    def __init__(self, stand, rng, threads):
        super().__init__(stand, rng)
        self.journal = stand.work + '/files.journal'
        self.program = stand.program('tests/filestorm')
        stand.run(self.program, 'init', self.journal, str(threads), str(rng.getrandbits(32)))

    def prepare(self, mnt):
        os.mkdir(mnt + '/files')

    def start(self, mnt, may_refuse):
        # A page that was written to by a mapping, and is refused, shows in the kernel for a while.
        flags = {'': [], 'write': ['-e'], 'read': ['-e', '-p']}[may_refuse]
        log = self.stand.work + '/files.log'
        if os.path.exists(log):
            os.replace(log, log + '.before')
        self.spawn([self.program, 'run', *flags, '-l', log, self.journal,
                    mnt + '/files'])

    def join(self):
        super().join()
        # What is wrong after something was refused ends only its thread.
        if re.search('differs|instead of', self.said()):
            raise Failure('load files: ' + self.said())

    def look(self, where):
        out = self.stand.run(self.program, 'check', self.journal, where + '/files', seconds=300)
        self.ops = int(re.search('([0-9]+) operations', out).group(1))
        return self.ops // 1000  # what is compared is small


class InnerFs(Load):
    """ext4 on a loop device on an image; files that were replaced and synced."""
    name = 'ext4'

    def __init__(self, stand, rng):
        super().__init__(stand, rng)
        self.list = stand.work + '/ext4.list'
        self.point = stand.work + '/inner'
        self.device = None
        with open(self.list, 'w', encoding='ascii'):
            pass

    def prepare(self, mnt):
        with open(mnt + '/disk', 'wb') as f:
            f.truncate(64 << 20)
        self.stand.run('mkfs.ext4', '-qF', '-E', 'lazy_itable_init=0', mnt + '/disk')

    def start(self, mnt, may_refuse):
        options = self.rng.choice([[], ['--direct-io=on']])
        self.device = self.stand.attach(mnt + '/disk', *options)
        self.stand.mount_fs(self.device, self.point)
        self.spawn([sys.executable, HERE + '/synced_files.py', 'run', self.point, self.list,
                    str(self.rng.getrandbits(32))])

    def join(self):
        try:
            super().join()
        finally:
            if self.device:
                self.stand.umount_fs(self.point)
                self.stand.detach(self.device)
                self.device = None

    def look(self, where):
        image = where + '/disk'
        if where == self.stand.back:  # to be looked at, not to be changed
            image = self.stand.work + '/copy/disk'
            shutil.copy(where + '/disk', image)
        device = self.stand.attach(image)
        self.stand.mount_fs(device, self.point)
        out = self.stand.run(sys.executable, HERE + '/synced_files.py', 'check', self.point,
                             self.list)
        self.stand.umount_fs(self.point)
        self.stand.run('e2fsck', '-fn', device)
        self.stand.detach(device)
        self.ops = int(out.split()[1])
        return int(out.split()[0])


class Database(Load):
    """An SQLite database in one of its journal modes."""
    name = 'sqlite'

    def __init__(self, stand, rng):
        super().__init__(stand, rng)
        self.list = stand.work + '/sqlite.list'

    def prepare(self, mnt):
        os.mkdir(mnt + '/db')

    def start(self, mnt, may_refuse):
        mode = self.rng.choice(['DELETE', 'TRUNCATE', 'PERSIST', 'WAL'])
        self.spawn([sys.executable, HERE + '/database.py', 'run', mnt + '/db/bank', self.list, mode,
                    str(self.rng.getrandbits(32))])

    def join(self):
        # A mapping of the WAL's index ends like this with its daemon.
        if self.child and self.stand.has_died:
            eventually(120, 'the end of the load sqlite', lambda: not self.is_running())
            if self.child.returncode == -signal.SIGBUS:
                self.child = None
        super().join()

    def look(self, where):
        path = where + '/db'
        if where == self.stand.back:
            path = self.stand.work + '/copy/db'
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(where + '/db', path)
        out = self.stand.run(sys.executable, HERE + '/database.py', 'check', path + '/bank',
                             self.list, seconds=limit(60))
        self.ops = int(out.split()[0])
        return int(out.split()[1])
