# SPDX-License-Identifier: GPL-2.0-or-later
# P18: a file with the cache is written through the page cache.
#! tests/check_io_cachedev
#@ lcfs/io/cachedev.c
/^static int open_once\(/,/^}/{
s/int fd = try_open\(conf, st, true\);/int fd = -EINVAL;/
}
