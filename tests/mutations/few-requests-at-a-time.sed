# SPDX-License-Identifier: GPL-2.0-or-later
# P21: the kernel holds requests back at its usual twelve.
#! tests/check_fuse_proto
#@ lcfs/fuse/init.c
s/\.max_background = conf->max_background,/.max_background = 12,/
