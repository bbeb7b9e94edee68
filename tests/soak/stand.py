# SPDX-License-Identifier: GPL-2.0-or-later
"""The stand of the soak: a backing filesystem, two caches, the daemon, and everything that must be
taken away at the end."""
import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

MULTIPLIER = int(os.environ.get('CK_TIMEOUT_MULTIPLIER', '1'))
SIGNALS = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS]
GROUPS = '/sys/fs/cgroup/memory'
# What the daemon says of a thing that must not happen.
COMPLAINT = re.compile('conflict|damaged|: missing |are missing|not well formed|cannot|not opened|'
                       'ERROR: |the cache device failed|could not be')


class Failure(Exception):
    """Something is not as it must be."""


def limit(seconds):
    return seconds * MULTIPLIER


def set_core(pid, is_kept):
    """Whether that process leaves a core when it dies by SIGSEGV."""
    hard = resource.prlimit(pid, resource.RLIMIT_CORE)[1]
    resource.prlimit(pid, resource.RLIMIT_CORE, (hard if is_kept else 0, hard))


def describe_end(status):
    """Of what waitpid() gives."""
    if os.WIFSIGNALED(status):
        return 'by signal %d' % os.WTERMSIG(status)
    return 'with status %d' % os.WEXITSTATUS(status)


def is_gone(pid):
    try:
        with open('/proc/%d/stat' % pid, encoding='ascii', errors='replace') as f:
            return f.read().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True


def eventually(seconds, what, done):
    end = time.monotonic() + limit(seconds)
    while not done():
        if time.monotonic() > end:
            raise Failure('%s: not within %d s' % (what, limit(seconds)))
        time.sleep(0.005)


class Expected:
    """What the daemon may say."""

    def __init__(self, patterns, test):
        self.patterns, self.test = [re.compile(p) for p in patterns], test
        self.end = None  # or when it is over

    def covers(self, line):
        found = filter(None, (p.search(line) for p in self.patterns))
        return any(self.test is None or self.test(m) for m in found)


class Stand:
    """One directory with all that the soak uses."""

    def __init__(self, build, work, rng, trace):
        self.build, self.work, self.rng, self.trace_file = build, work, rng, trace
        self.mnt, self.back = work + '/mnt', work + '/store/dir'
        self.served = self.back  # what lcfs has for its backing directory
        self.store_control = None
        self.log_path = work + '/lcfs.log'
        self.begin = time.time()
        self.loops, self.mounts, self.children = [], [], []
        self.caches, self.all_caches, self.loop_files = [], [], {}
        self.again = {}  # how to make a cache anew
        self.disk = None  # the name of the cache device that can fail
        self.store_device = ''
        self.fixed_options = self.in_group = None  # for mounts that are not drawn
        self.daemon = None  # Popen, or None
        self.pid = 0
        self.status = {}  # of waitpid(), of those that had detached
        self.is_ending = True  # there is no daemon, or it is to end
        self.log_at = self.judged = 0
        self.expected = []
        with open(self.log_path, 'wb'):
            pass
        self.has_died = False  # this daemon was killed by us
        self.is_heard = True
        self.group = None
        # Daemons that detach stay children of the soak.
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)

    # ------------------------------------------------------------ small things

    def trace(self, text):
        self.trace_file.write('%.3f %s\n' % (time.time(), text))
        self.trace_file.flush()

    def program(self, name):
        return os.path.join(self.build, name)

    def run(self, *command, seconds=120, may_fail=False):
        """Runs a command to its end; its output."""
        self.trace(' '.join(command))
        try:
            r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors='replace',
                               timeout=limit(seconds), check=False)
        except subprocess.TimeoutExpired:
            raise Failure('%s: no end within %d s' % (' '.join(command), limit(seconds))) from None
        if r.returncode:
            self.trace('status %d: %s' % (r.returncode, r.stdout.strip()[-300:]))
        if r.returncode and not may_fail:
            self.must_live()
            raise Failure('%s: status %d: %s' % (' '.join(command), r.returncode,
                                                 r.stdout.strip()[-2000:]))
        return r.stdout

    def is_mounted(self, point):
        with open('/proc/self/mountinfo', encoding='utf-8', errors='replace') as f:
            return any(line.split()[4] == point for line in f)

    def attach(self, path, *options):
        device = self.run('losetup', '-f', '--show', *options, path).strip()
        self.loops.append(device)
        self.loop_files[device] = path
        return device

    def detach(self, device):
        """If it is still our file that is behind it."""
        if device not in self.loops:
            return
        self.loops.remove(device)
        out = self.run('losetup', '-nO', 'BACK-FILE', device, may_fail=True).strip()
        if not out.startswith(self.work):
            return

        def lets_go():
            now = self.run('losetup', '-nO', 'BACK-FILE', device, may_fail=True).strip()
            return now != out
        self.run('losetup', '-d', device, may_fail=True)
        eventually(30, '%s lets go of %s' % (device, out), lets_go)

    def mount_fs(self, device, point, *options):
        os.makedirs(point, exist_ok=True)
        self.run('mount', *options, device, point)
        self.mounts.append(point)

    def umount_fs(self, point):
        if point in self.mounts:
            self.mounts.remove(point)
        for _ in range(100):
            if not self.is_mounted(point):
                return
            self.run('umount', point, may_fail=True)
            if self.is_mounted(point):
                time.sleep(0.05)
        self.run('umount', '-l', point)

    # ------------------------------------------------------------ the places

    def start_disk(self, name, mib):
        """A file that fails when it is told to (tests/stand/blockfile). Its path."""
        os.mkdir(self.work + '/disk')
        os.mkdir(self.work + '/stand')
        child = subprocess.Popen([self.program('tests/stand/blockfile'), '-f', self.work + '/disk',
                                  self.work + '/stand', '%s=%dM' % (name, mib)],
                                 stdin=subprocess.DEVNULL)
        self.children.append(child)
        eventually(20, 'blockfile', lambda: self.is_mounted(self.work + '/stand'))
        self.disk = name
        return '%s/stand/%s' % (self.work, name)

    def start_store(self):
        """The backing directory, behind one that fails if told to (tests/stand/faultdir)."""
        point = self.work + '/shown'
        os.mkdir(point)
        child = subprocess.Popen([self.program('tests/stand/faultdir/faultdir'), self.back, point],
                                 stdin=subprocess.DEVNULL)
        self.children.append(child)
        eventually(20, 'faultdir', lambda: self.is_mounted(point))
        self.mounts.append(point)
        self.store_control = os.open(point + '/.faultdir', os.O_WRONLY)
        self.served = point

    def store_fault(self, rule):
        self.trace('store: ' + rule)
        os.write(self.store_control, (rule + '\n').encode())

    def disk_fault(self, command):
        self.trace('disk: ' + command)
        self.put(self.work + '/stand/control', command)

    def make_cache(self, name, mib, order, is_device, may_fail=False):
        path = '%s/%s' % (self.work, name)
        if may_fail:
            path = self.start_disk(name, mib)
        else:
            with open(path, 'wb') as f:
                f.truncate(mib << 20)
        if is_device:
            path = self.attach(path, '--direct-io=on')
        command = [self.program('lcfs/tools/mkfs.lcfs'), '-q', '--segment-order=%d' % order]
        self.run(*command, path)
        self.again[path] = command + ['--force', path]
        self.caches.append(path)
        self.all_caches.append(path)
        self.trace('cache %s: %d MiB, segment order %d' % (path, mib, order))

    def make_store(self, mib):
        for name in ('mnt', 'store', 'inner', 'copy'):
            os.mkdir('%s/%s' % (self.work, name))
        image = self.work + '/store.ext4'
        with open(image, 'wb') as f:
            f.truncate(mib << 20)
        self.run('mkfs.ext4', '-qF', '-E', 'lazy_itable_init=0', image)
        self.store_device = self.attach(image, '--direct-io=on')
        self.mount_fs(self.store_device, self.work + '/store')
        os.mkdir(self.back)

    def make(self, store_mib, disk_may_fail=False, store_may_fail=False):
        self.make_store(store_mib)
        if store_may_fail:
            self.start_store()
        self.make_cache('one', self.rng.choice([24, 48, 96, 128]), self.rng.choice([7, 9, 11]),
                        True, disk_may_fail)
        self.make_cache('two', self.rng.choice([24, 64, 128]), self.rng.choice([6, 8, 11]), False)

    # ------------------------------------------------------------ the daemon

    def options(self):
        if self.fixed_options:
            return self.fixed_options
        rng, caches = self.rng, list(self.caches)
        rng.shuffle(caches)
        words = ['cache=' + path for path in caches]
        words += ['policy=' + rng.choice(['first', 'round_robin', 'least_dirty']),
                  'ram_buffers=%d' % rng.choice([2, 3, 8, 64]),
                  'force_migrate=%d' % rng.choice([0, 0, 1]),
                  'allow_migrate=%d' % rng.choice([0, 1])]
        return ','.join(words)

    def start(self, is_foreground=True):
        """Starts lcfs, and waits for nothing. The process that was started."""
        command = [self.program('lcfs/lcfs')] + (['-f'] if is_foreground else [])
        command += ['-o', self.options(), self.served, self.mnt]
        self.judge(True)
        self.trace(' '.join(command))
        with open(self.log_path, 'ab') as log:
            self.log_at = log.tell()
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     preexec_fn=self.before_start)
        self.children.append(child)
        self.has_died, self.is_ending = False, True
        return child

    def before_start(self):
        set_core(0, True)
        if self.in_group:
            self.put(self.in_group + '/cgroup.procs', os.getpid())

    def said(self, since=None):
        """By this daemon, or from that byte of the log on."""
        with open(self.log_path, encoding='utf-8', errors='replace') as f:
            f.seek(self.log_at if since is None else since)
            return f.read()

    def find_own(self):
        """Our children. A number alone says nothing: it may be another's meanwhile."""
        found = []
        for name in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/stat' % name, encoding='ascii', errors='replace') as f:
                    state, parent = f.read().rpartition(')')[2].split()[:2]
                if int(parent) == os.getpid() and state != 'Z':
                    found.append(int(name))
            except OSError:
                pass
        return found

    def find_daemons(self):
        exe = os.path.realpath(self.program('lcfs/lcfs'))
        found = []
        for name in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/cmdline' % name, 'rb') as f:
                    is_ours = self.mnt.encode() in f.read().split(b'\0')
                if is_ours and os.readlink('/proc/%s/exe' % name) == exe:
                    found.append(int(name))
            except OSError:
                pass
        return found

    def mount(self):
        """Mounts and waits until it serves. The time that took, in seconds."""
        is_foreground = self.rng.random() < 0.7
        self.is_heard = is_foreground  # else it speaks to syslog
        begin = time.monotonic()
        self.daemon = self.start(is_foreground)

        def serves():
            status = self.daemon.poll()
            if status is not None and (is_foreground or status):
                raise Failure('lcfs does not mount: status %s: %s' % (status, self.said()))
            return (is_foreground or status == 0) and self.is_mounted(self.mnt)
        eventually(120, 'mount', serves)
        took = time.monotonic() - begin
        self.run('timeout', '60', 'test', '-e', self.mnt + '/.lcctl/version')
        pids = [self.daemon.pid] if is_foreground else self.find_daemons()
        if len(pids) != 1:
            raise Failure('%d daemons' % len(pids))
        self.pid = pids[0]
        self.is_ending = False
        self.trace('serves, pid %d' % self.pid)
        return took

    def how_it_ended(self):
        """How the daemon has ended; None: it has not, or was to end."""
        if self.is_ending:
            return None
        if self.daemon.pid == self.pid:
            status = self.daemon.poll()
            if status is None:
                return None
            return 'by signal %d' % -status if status < 0 else 'with status %d' % status
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return "and is another's child"
        return describe_end(status) if pid else None

    def sizes(self):
        """Of the daemon: resident memory in KiB, and open descriptors."""
        with open('/proc/%d/status' % self.pid, encoding='ascii', errors='replace') as f:
            rss = re.search('VmRSS:\\s*([0-9]+)', f.read())
        return int(rss.group(1)), len(os.listdir('/proc/%d/fd' % self.pid))

    def must_live(self):
        """Whoever is about to end the daemon, or cannot use it, asks first whether it has ended
        by itself: that is never right."""
        how = self.how_it_ended()
        if how is None:
            return
        self.is_ending = True
        raise Failure('the daemon, pid %d, has ended by itself %s: %s' %
                      (self.pid, how, self.said().strip()[-1000:]))

    def end_of(self, pids, seconds=60):
        def all_gone():
            for child in list(self.children):
                if child.poll() is not None:
                    self.children.remove(child)
            return all(is_gone(pid) for pid in pids)
        eventually(seconds, 'the end of lcfs, pid %s' % pids, all_gone)
        for pid in pids:  # those that had detached
            try:
                self.status[pid] = os.waitpid(pid, os.WNOHANG)[1]
            except ChildProcessError:
                pass

    def kill(self, pids, how):
        self.trace('signal %d to %s' % (how, pids))
        self.must_live()
        self.has_died = self.is_ending = True
        for pid in pids:
            try:
                set_core(pid, False)
                os.kill(pid, how)
            except ProcessLookupError:
                pass
        self.end_of(pids)

    def kill_by_memory(self):
        """The kernel's out-of-memory killer does it, in a group that the daemon shares with an
        eater of memory. False where that cannot be had."""
        group = '%s/lcfs-soak-%d' % (GROUPS, os.getpid())
        try:
            os.makedirs(group, exist_ok=True)
            self.group = group
            self.put(group + '/cgroup.procs', self.pid)
            self.put('/proc/%d/oom_score_adj' % self.pid, 1000)
            self.put(group + '/memory.limit_in_bytes', 48 << 20)
        except OSError as e:
            self.trace('no memory group: %s' % e)
            return False
        eater = 'import os\nopen(%r, "w").write(str(os.getpid()))\na = []\n' \
                'while True:\n a.append(bytearray(b"x") * (1 << 20))\n' % (group + '/cgroup.procs')
        self.trace('memory runs out for pid %d' % self.pid)
        self.must_live()
        self.has_died = self.is_ending = True
        p = subprocess.Popen([sys.executable, '-c', eater], stdin=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        self.children.append(p)
        try:
            eventually(30, 'the out-of-memory killer', lambda: is_gone(self.pid) or
                       p.poll() is not None)
            is_done = is_gone(self.pid)
        finally:
            p.kill()
            p.wait()
        if not is_done:
            self.trace('it took the eater')
            self.kill([self.pid], signal.SIGKILL)
        self.end_of([self.pid])
        return is_done

    @staticmethod
    def put(path, value):
        with open(path, 'w', encoding='ascii') as f:
            f.write(str(value))

    def remove_dead_mount(self):
        for _ in range(10):
            if not self.is_mounted(self.mnt):
                return
            self.run('umount', '-l', self.mnt)
        raise Failure('%s cannot be unmounted' % self.mnt)

    def begin_umount(self):
        """umount(8), at work; the daemon may still close the caches when it has ended."""
        self.must_live()
        self.is_ending = True
        child = subprocess.Popen(['umount', self.mnt], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.children.append(child)
        return child

    def members(self):
        """The caches of the mount."""
        where = self.mnt + '/.lcctl/caches'
        return [os.readlink('%s/%s/device' % (where, number)) for number in os.listdir(where)]

    def umount(self, keeps_pools=False):
        self.must_live()
        members = self.members()  # one that could not join again may have RAM buffers

        def is_done():
            child = self.begin_umount()
            text = child.communicate(timeout=limit(120))[1]
            if child.returncode:
                self.trace('umount: ' + text.strip())
            return child.returncode == 0
        eventually(20, 'umount', is_done)  # a release may be under way
        self.end_of([self.pid], 120)
        status = self.daemon.poll() or self.status.get(self.pid, 0)
        if status:
            raise Failure('the daemon ended with status %s: %s' % (status, self.said()))
        left = [p for p in self.pools(members) if os.path.exists(p)]
        if left and not keeps_pools:
            raise Failure('a clean end leaves RAM buffers: %s' % left)

    def pools(self, caches=None):
        paths = []
        for cache in caches or self.all_caches:
            out = self.run(self.program('lcfs/tools/lcfs-id'), cache, may_fail=True)
            uuid = re.search('ID_FS_UUID=(.*)', out)
            if uuid:
                paths.append('/run/lcfs/%s.pool' % uuid.group(1).replace('-', ''))
        return paths

    def expect(self, *patterns, test=None):
        """From now on the daemon may say this: lines in which a pattern is found, and where there
        is test(match), it is true of one."""
        e = Expected(patterns, test)
        self.expected.append(e)
        return e

    def expect_no_more(self, e, lasts=0):
        """What provoked it is over; what follows from that is said for so many seconds at most."""
        self.judge()
        e.end = time.monotonic() + limit(lasts)

    def judge(self, is_ended=False):
        """No complaint of the daemon but of what was provoked, when it was provoked."""
        with open(self.log_path, 'rb') as f:
            f.seek(self.judged)
            text = f.read()
        if not is_ended:
            text = text[:text.rfind(b'\n') + 1]
        self.judged += len(text)
        for line in text.decode('utf-8', 'replace').splitlines():
            if COMPLAINT.search(line) and not any(e.covers(line) for e in self.expected):
                raise Failure('the daemon says: ' + line)
        now = time.monotonic()
        self.expected = [e for e in self.expected if e.end is None or e.end > now]

    # ------------------------------------------------------------ the end

    def core(self):
        """Of the daemon, which works in the root directory; None: it left none there."""
        with open('/proc/sys/kernel/core_pattern', encoding='utf-8') as f:
            name = f.read().strip()
        for path in ('/' + name, '/%s.%d' % (name, self.pid)):
            if '|' not in name and '%' not in name and os.path.exists(path) and \
                    os.stat(path).st_mtime >= self.begin:
                return path
        return None

    def tell_end(self, out):
        """What is known if the daemon is dead and nobody killed it."""
        with open('/proc/self/mountinfo', encoding='utf-8', errors='replace') as f:
            here = [line for line in f if line.split()[4] == self.mnt]
        out.write('--- pid %d: %s; mounted:\n%s' %
                  (self.pid, 'gone' if is_gone(self.pid) else 'is there', ''.join(here)))
        r = subprocess.run(['dmesg'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors='replace', check=False)
        out.write('--- dmesg\n%s\n' % '\n'.join(r.stdout.splitlines()[-40:]))
        core = self.core()
        if core:
            shutil.move(core, self.work + '/core')
            self.gdb(out, self.program('lcfs/lcfs'), self.work + '/core')

    @staticmethod
    def gdb(out, *what):
        if shutil.which('gdb'):
            r = subprocess.run(['timeout', '-k', '1', '60', 'gdb', '-batch', '-ex',
                                'thread apply all bt', *what], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               text=True, errors='replace', check=False)
            out.write('--- threads: %s\n%s\n' % (' '.join(what), r.stdout))

    def diagnose(self):
        """What a daemon that hangs does; into the directory."""
        with open(self.work + '/diagnosis', 'w', encoding='utf-8', errors='replace') as out:
            self.tell_end(out)
            for name in ('status', 'stats.json'):
                r = subprocess.run(['timeout', '-k', '1', '10', 'cat',
                                    '%s/.lcctl/%s' % (self.mnt, name)], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, check=False)
                out.write('--- %s\n%s\n' % (name, r.stdout))
            if not is_gone(self.pid):
                self.gdb(out, '-p', str(self.pid))

    def abort(self):
        """Whoever waits for the daemon waits no more. Before anything looks for its command line:
        that may have to wait for it, too."""
        if self.pid in self.find_own():
            os.kill(self.pid, signal.SIGKILL)
        if self.is_mounted(self.mnt):
            self.run('umount', '-f', self.mnt, may_fail=True)

    def freeze(self):
        """After an error: the daemon ends as it is, its RAM buffers are kept with the rest."""
        self.abort()
        pids = self.find_daemons()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.end_of(pids)
        for pool in self.pools():
            if os.path.exists(pool):
                shutil.copy(pool, self.work)

    def clean_up(self, keep):
        """Everything goes that a soak leaves in the system; with keep not its directory."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
        self.abort()
        for pid in self.find_daemons():
            os.kill(pid, signal.SIGKILL)
        if self.store_control is not None:
            os.close(self.store_control)
        pools = self.pools()
        steps = [(self.umount_fs, point) for point in reversed(self.mounts)
                 if point != self.work + '/store']
        steps += [(self.detach, device) for device in reversed(self.loops)
                  if self.loop_files[device].startswith(self.mnt)]
        steps += [(lambda _: self.remove_dead_mount(), None),
                  (lambda _: self.end_of(self.find_daemons()), None)]
        steps += [(self.umount_fs, point) for point in list(self.mounts)
                  if point == self.work + '/store']
        steps += [(self.detach, device) for device in reversed(self.loops)
                  if not self.loop_files[device].startswith(self.mnt)]
        for step, what in steps:
            try:
                step(what)
            except (Failure, OSError) as e:
                print('soak: cleaning up: %s' % e, file=sys.stderr)
        if self.disk and self.is_mounted(self.work + '/stand'):
            self.run('umount', '-l', self.work + '/stand', may_fail=True)
        for pool in pools:
            if os.path.exists(pool):
                os.unlink(pool)
        if self.group:
            try:
                os.rmdir(self.group)
            except OSError as e:
                print('soak: %s: %s' % (self.group, e), file=sys.stderr)
        if not keep:
            shutil.rmtree(self.work, ignore_errors=True)
