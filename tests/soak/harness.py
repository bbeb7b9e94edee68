# SPDX-License-Identifier: GPL-2.0-or-later
"""How a program of the soak begins and ends: a namespace, a directory, signals, what is kept."""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from stand import Failure, Stand

PROGRAMS = ['lcfs/lcfs', 'lcfs/tools/lcctl', 'lcfs/tools/mkfs.lcfs', 'lcfs/tools/fsck.lcfs',
            'lcfs/tools/lcfs-id', 'tests/verifier', 'tests/filestorm', 'tests/stand/blockfile',
            'tests/stand/faultdir/faultdir']


def parser(name, doc):
    p = argparse.ArgumentParser(prog=name, description=doc,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int, metavar='S', help='of all that is chosen (the time)')
    p.add_argument('--dir', default='/var/tmp', metavar='D', help='work in a directory made there')
    p.add_argument('--build', default=os.getcwd(), metavar='B',
                   help='where lcfs was built, with "make check TESTS=" (here)')
    p.add_argument('--keep', action='store_true', help='keep the directory in any case')
    return p


def leave_signals():
    """The soak kills the daemon by SEGV, too: what a sanitizer would report then is no finding."""
    os.environ['ASAN_OPTIONS'] = ':'.join(
        [o for o in [os.environ.get('ASAN_OPTIONS')] if o] +
        ['handle_segv=0', 'handle_sigbus=0', 'handle_abort=0'])


def check_build(p, args):
    leave_signals()
    args.build = os.path.abspath(args.build)
    for name in PROGRAMS:
        if not os.access(os.path.join(args.build, name), os.X_OK):
            p.error('%s is not in %s: build it first, with "make check TESTS="' %
                    (name, args.build))


ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def interrupted(*_):
    raise KeyboardInterrupt


def enter_namespace():
    """In another one, copies of our mounts would keep their daemons alive; and no mount of ours
    outlives us."""
    if os.environ.get('LCFS_SOAK_NAMESPACE') != str(os.getppid()):
        os.environ['LCFS_SOAK_NAMESPACE'] = str(os.getpid())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen(['unshare', '-m', '--propagation', 'private', sys.executable,
                                  *sys.argv])
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        signal.signal(signal.SIGHUP, lambda *_: child.terminate())
        sys.exit(child.wait())
    with open('/proc/self/mounts', encoding='utf-8', errors='replace') as f:
        foreign = [line.split()[1] for line in f if line.split()[2] == 'fuse.lcfs']
    for point in foreign:
        subprocess.run(['umount', '-l', point], check=False)


def run_piece(name, args, make, seed, before):
    """Exit status, and the job."""
    work = tempfile.mkdtemp(prefix='lcfs-soak.', dir=args.dir)
    print('%s: seed %d, in %s' % (name, seed, work), flush=True)
    keep = args.keep
    with open(work + '/trace', 'w', encoding='utf-8', errors='replace') as trace:
        trace.write('seed %d: %s\n' % (seed, ' '.join(sys.argv)))
        rng = random.Random(seed)
        stand = Stand(args.build, work, rng, trace)
        job = make(args, stand, rng, seed, before)
        try:
            job.run()
            return 0, job
        except Exception as e:  # pylint: disable=broad-except
            keep = True
            if not isinstance(e, Failure):  # one that a dead mount, for instance, causes
                traceback.print_exc()
            stand.trace('FAILURE: %s' % e)
            print('%s: error: %s' % (name, e))
            stand.diagnose()
            how = stand.how_it_ended()
            if how:
                print('%s: the daemon, pid %d, has ended by itself %s' % (name, stand.pid, how))
            stand.freeze()
            print('%s: %s' % (name, job.summary(1)))
            print('%s: everything is kept in %s; the seed is %d' % (name, work, seed), flush=True)
            return 1, job
        except KeyboardInterrupt:
            print('%s: interrupted: %s' % (name, job.summary(0)), flush=True)
            return 130, job
        finally:
            for sig in ENDS:
                signal.signal(sig, signal.SIG_IGN)
            job.end()
            stand.clean_up(keep)


def run(name, args, make):
    """make(args, stand, rng, seed, before) has run(), summary(errors) and end(); before is the one
    of the piece before. Exit status."""
    if os.geteuid() != 0 or not os.path.exists('/dev/fuse'):
        print('%s: it takes root and /dev/fuse' % name, file=sys.stderr)
        return 77
    enter_namespace()
    seed = args.seed if args.seed is not None else time.time_ns() // 1000
    job, status = None, 0
    for i, args.seconds in enumerate(getattr(args, 'pieces', [args.seconds])):
        for sig in ENDS:
            signal.signal(sig, interrupted)
        status, job = run_piece(name, args, make, seed + i, job)
        if status:
            return status
    print('%s: %s' % (name, job.summary(0)), flush=True)
    return 0
