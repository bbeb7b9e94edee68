# SPDX-License-Identifier: GPL-2.0-or-later
# C5: the log is written through another open file than the one that has the lock.
#! tests/check_io_landing
#@ lcfs/io/cachedev.c
/^int cachedev_fd\(/,/^}/s/^\treturn d->fd;/\tchar path[64];\n\n\tsnprintf(path, sizeof(path), "\/proc\/self\/fd\/%d", d->fd);\n\treturn open(path, O_RDWR | O_DIRECT | O_CLOEXEC);/
