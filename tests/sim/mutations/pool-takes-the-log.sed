# SPDX-License-Identifier: GPL-2.0-or-later
# H1: as many RAM buffers as are asked for, however small the log is.
#@ lcfs/cache/pool.c
s/uint64_t most = sb->nr_segments \/ 4;/uint64_t most = sb->nr_segments;/
