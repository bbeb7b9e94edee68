#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what in a directory, and what becomes of set-id bits: one line for each case.

Usage: who_may.py DIRECTORY     as root; what it makes there it removes

The lines say what happened, not what should: they are to be the same on lcfs and on the filesystem
below it. Left out is where they differ, on purpose: see docs/testing.md.
"""
import ctypes
import errno
import mmap
import os
import stat
import struct
import sys

OWNER = (40001, 50001, [])
MEMBER = (40002, 50009, [50001])
OTHER = (40003, 50009, [])
ROOT = (0, 0, [0])
WHO = {'owner': OWNER, 'member': MEMBER, 'other': OTHER, 'root': ROOT}
CAPS = struct.pack('<IIIII', 0x02000000, 0x2000, 0, 0, 0)
libc = ctypes.CDLL(None, use_errno=True)


def as_user(who, action):
    """Runs the action in a child of that user: 'ok', or the name of the error."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = 'ok'
        try:
            uid, gid, groups = WHO[who]
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            text = action() or 'ok'
        except OSError as e:
            text = errno.errorcode[e.errno]
        os.write(send, text.encode())
        os._exit(0)
    os.close(send)
    text = os.read(receive, 100).decode()
    os.close(receive)
    os.waitpid(pid, 0)
    return text


def facts(path):
    st = os.lstat(path)
    try:
        caps = 'caps' if os.getxattr(path, 'security.capability', follow_symlinks=False) else ''
    except OSError as e:
        caps = '-' if e.errno == errno.ENODATA else errno.errorcode[e.errno]
    return f'{stat.filemode(st.st_mode)} {st.st_uid}:{st.st_gid} {caps}'


def make(path, mode, directory=False):
    if directory:
        os.mkdir(path)
    else:
        with open(path, 'wb') as f:
            f.write(b'x' * 8192)
    os.chown(path, OWNER[0], OWNER[1])
    os.chmod(path, mode)


def remove(path):
    for root, dirs, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(os.path.join(root, name))
        for name in dirs:
            full = os.path.join(root, name)
            os.unlink(full) if os.path.islink(full) else os.rmdir(full)
    os.rmdir(path) if os.path.isdir(path) else os.path.lexists(path) and os.unlink(path)


def opening(path, flags):
    return lambda: os.close(os.open(path, flags, 0o644))


def on_file(path):
    return {
        'read': opening(path, os.O_RDONLY),
        'write': opening(path, os.O_WRONLY),
        'append': opening(path, os.O_RDWR | os.O_APPEND),
        'creat': opening(path, os.O_WRONLY | os.O_CREAT),
        'trunc': opening(path, os.O_WRONLY | os.O_TRUNC),
        'direct': opening(path, os.O_RDWR | os.O_DIRECT),
        'truncate': lambda: os.truncate(path, 10),
        'access-r': lambda: None if os.access(path, os.R_OK) else 'no',
        'access-w': lambda: None if os.access(path, os.W_OK) else 'no',
        'access-x': lambda: None if os.access(path, os.X_OK) else 'no',
        'chmod': lambda: os.chmod(path, 0o604),
        'chmod-suid': lambda: os.chmod(path, 0o6755),
        'chgrp-own': lambda: os.chown(path, -1, 50001),
        'chgrp-other': lambda: os.chown(path, -1, 50002),
        'chown': lambda: os.chown(path, 40002, -1),
        'touch': lambda: os.utime(path),
        'times': lambda: os.utime(path, (5, 5)),
        'setxattr': lambda: os.setxattr(path, 'user.a', b'1'),
        'getxattr': lambda: os.getxattr(path, 'user.b') and None,
        'trusted': lambda: os.setxattr(path, 'trusted.a', b'1'),
        'setcaps': lambda: os.setxattr(path, 'security.capability', CAPS),
        'link': lambda: os.link(path, path + '.2'),
    }


def in_directory(path):
    def mk(name):
        return os.path.join(path, name)

    return {
        'list': lambda: os.listdir(path) and None,
        'stat': lambda: os.stat(mk('old')) and None,
        'create': opening(mk('new'), os.O_RDWR | os.O_CREAT | os.O_EXCL),
        'create-suid': lambda: os.close(os.open(mk('new'), os.O_RDWR | os.O_CREAT, 0o6777)),
        'mkdir': lambda: os.mkdir(mk('new')),
        'symlink': lambda: os.symlink('x', mk('new')),
        'fifo': lambda: os.mkfifo(mk('new')),
        'device': lambda: os.mknod(mk('new'), stat.S_IFCHR | 0o600, os.makedev(1, 3)),
        'unlink': lambda: os.unlink(mk('old')),
        'unlink-own': lambda: os.unlink(mk('mine')),
        'rmdir': lambda: os.rmdir(mk('sub')),
        'rename': lambda: os.rename(mk('old'), mk('new')),
        'rename-over': lambda: os.rename(mk('mine'), mk('old')),
        'rename-dir': lambda: os.rename(mk('sub'), mk('new')),
        'link': lambda: os.link(mk('old'), mk('new')),
        'chdir': lambda: os.chdir(path),
    }


def files(top):
    for mode in (0o640, 0o606, 0o060, 0o000, 0o755):
        for who in WHO:
            for name in on_file('x'):
                path = os.path.join(top, 'f')
                make(path, mode)
                os.setxattr(path, 'user.b', b'2')
                result = as_user(who, on_file(path)[name])
                print(f'file {mode:04o} {who} {name}: {result} {facts(path)}')
                remove(path)
                remove(path + '.2')


def directories(top):
    for mode in (0o700, 0o775, 0o1777, 0o2775, 0o711, 0o444):
        for who in WHO:
            for name in in_directory('x'):
                path = os.path.join(top, 'd')
                make(path, mode, True)
                make(os.path.join(path, 'old'), 0o644)
                make(os.path.join(path, 'mine'), 0o644)
                os.chown(os.path.join(path, 'mine'), WHO[who][0], WHO[who][1])
                make(os.path.join(path, 'sub'), 0o755, True)
                result = as_user(who, in_directory(path)[name])
                new = os.path.join(path, 'new')
                made = facts(new) if os.path.lexists(new) else '-'
                print(f'directory {mode:04o} {who} {name}: {result} {made}')
                remove(path)


def pwrite_direct(fd):
    block = mmap.mmap(-1, 4096)
    os.pwritev(fd, [block], 0)


def fallocate(fd, mode):
    if libc.fallocate(fd, mode, ctypes.c_long(0), ctypes.c_long(4096)) < 0:
        raise OSError(ctypes.get_errno(), 'fallocate')


CHANGES = {
    'write': (0, lambda fd, path: os.pwrite(fd, b'y', 0)),
    'write-nothing': (0, lambda fd, path: os.pwrite(fd, b'', 0)),
    'write-append': (os.O_APPEND, lambda fd, path: os.write(fd, b'y')),
    'write-sync': (os.O_SYNC, lambda fd, path: os.pwrite(fd, b'y', 0)),
    'write-direct': (os.O_DIRECT, lambda fd, path: pwrite_direct(fd)),
    'shrink': (0, lambda fd, path: os.ftruncate(fd, 10)),
    'grow': (0, lambda fd, path: os.ftruncate(fd, 100000)),
    'same-size': (0, lambda fd, path: os.ftruncate(fd, 8192)),
    'punch': (0, lambda fd, path: fallocate(fd, 3)),
    'zero': (0, lambda fd, path: fallocate(fd, 0x10)),
    'copy': (0, lambda fd, path: os.copy_file_range(fd, fd, 1, 0, 4096)),
    'open-trunc': (0, lambda fd, path: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))),
    'chmod': (0, lambda fd, path: os.chmod(path, os.stat(path).st_mode & 0o7777 | 0o1000)),
    'chgrp': (0, lambda fd, path: os.chown(path, -1, 50001)),
    'touch': (0, lambda fd, path: os.utime(path)),
    'rename': (0, lambda fd, path: os.rename(path, path + '.2')),
}


def set_ids(top):
    """The descriptor is root's: what counts is who writes."""
    for mode in (0o6777, 0o4766, 0o0777):
        for who in WHO:
            for name, (flags, change) in CHANGES.items():
                path = os.path.join(top, 'f')
                make(path, mode)
                os.setxattr(path, 'security.capability', CAPS)
                os.chmod(path, mode)
                fd = os.open(path, os.O_RDWR | flags)
                result = as_user(who, lambda: change(fd, path) and None)
                os.close(fd)
                left = path if os.path.lexists(path) else path + '.2'
                print(f'set-id {mode:04o} {who} {name}: {result} {facts(left)}')
                remove(left)


def main():
    top = os.path.join(sys.argv[1], 'who_may')
    os.umask(0o022)
    os.mkdir(top)
    os.chmod(top, 0o777)
    files(top)
    directories(top)
    set_ids(top)
    os.rmdir(top)


main()
