# SPDX-License-Identifier: GPL-2.0-or-later
# P9: acknowledged writes stay in the kernel, where sync(2) does not wait for them.
#! tests/check_fuse_proto tests/t-e2e-kill9-verified.sh
#@ lcfs/fuse/init.c
s/\(conf->writeback_cache \? FUSE_WRITEBACK_CACHE : 0\)/FUSE_WRITEBACK_CACHE/
