# SPDX-License-Identifier: GPL-2.0-or-later
"""Replaces files in a directory the careful way, and knows which versions were synced.

    synced_files.py run DIR LIST SEED
    synced_files.py check DIR LIST

LIST, elsewhere, gets a line "begin NAME SEED SIZE" before a file is replaced (written anew beside
it, synced, renamed, directory synced), and "done" after. run ends with TERM, or when the filesystem
fails: whoever took away what is below it knows why. check prints blocks and files replaced.
"""
import hashlib
import os
import random
import signal
import sys

ending = False


def end(*_):
    global ending
    ending = True


def content(seed, size):
    return random.Random(seed).randbytes(size)


def replace(point, name, data):
    path = '%s/%s' % (point, name)
    with open(path + '.new', 'wb') as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + '.new', path)
    fd = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def run(point, path, seed):
    rng = random.Random(seed)
    with open(path, 'a', encoding='ascii') as done:
        while not ending:
            name, seed = 'f%d' % rng.randrange(24), rng.getrandbits(32)
            size = rng.choice([10, 4096, 30000, 300000, 1000000])
            size = rng.randrange(size)
            done.write('begin %s %d %d\n' % (name, seed, size))
            done.flush()
            try:
                replace(point, name, content(seed, size))
            except OSError as e:
                print('ended by: %s' % e)
                return 0
            done.write('done\n')
            done.flush()
    return 0


def read_list(path):
    """Of each name what may be there: the last that was done, and what was begun since."""
    may, begun, n = {}, None, 0
    with open(path, encoding='ascii') as f:
        for line in f:
            if line.startswith('begin '):
                name, seed, size = line.split()[1:]
                begun = (int(seed), int(size))
                may.setdefault(name, [None]).append(begun)
            elif begun:
                may[name] = [begun]
                n += 1
    return may, n


def check(point, path):
    may, n = read_list(path)
    blocks = wrong = 0
    settled = []
    for name, versions in sorted(may.items()):
        try:
            with open('%s/%s' % (point, name), 'rb') as f:
                data = f.read()
        except FileNotFoundError:
            data = None
        for version in versions:
            want = None if version is None else content(*version)
            if data == want:
                settled.append((name, version))
                break
        else:
            sums = [v and hashlib.md5(content(*v)).hexdigest() for v in versions]
            print('%s: %s bytes, md5 %s: none of %s' %
                  (name, None if data is None else len(data),
                   data is not None and hashlib.md5(data).hexdigest(), sums))
            wrong += 1
        blocks += len(data or b'') // 4096
    if not wrong:  # what was under way is decided now
        with open(path, 'a', encoding='ascii') as f:
            for name, version in settled:
                if len(may[name]) > 1 and version:
                    f.write('begin %s %d %d\ndone\n' % (name, *version))
    print(blocks, n)
    return 1 if wrong else 0


def main():
    signal.signal(signal.SIGTERM, end)
    if sys.argv[1] == 'run':
        return run(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    return check(sys.argv[2], sys.argv[3])


sys.exit(main())
