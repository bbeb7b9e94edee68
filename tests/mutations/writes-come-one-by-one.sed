# SPDX-License-Identifier: GPL-2.0-or-later
# P21: the kernel sends direct writes to a file one after the other.
#! tests/check_fuse_session
#@ lcfs/fuse/ops_file.c
s/^\tif \(fi->direct_io\)$/\tif (false)/
