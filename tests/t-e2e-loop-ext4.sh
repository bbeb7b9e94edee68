#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ext4 on a loop device on a mounted image.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/e2e-loop.sh"
set -eu

requires_fs ext4
requires e2fsck
image_size=200M

make_fs()
{
	mkfs.ext4 -q "$1"
}

check_fs()
{
	e2fsck -fn "$1"
}

e2e_loop
