#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# xfs on a loop device on a mounted image.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/e2e-loop.sh"
set -eu

requires_fs xfs
requires xfs_repair
image_size=400M

make_fs()
{
	mkfs.xfs -q "$1"
}

check_fs()
{
	xfs_repair -n "$1"
}

# The same UUID may be mounted twice only so.
ro_options=,nouuid
e2e_loop
