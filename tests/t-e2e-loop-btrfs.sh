#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# btrfs on a loop device on a mounted image.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/e2e-loop.sh"
set -eu

requires_fs btrfs
requires btrfs
image_size=300M

make_fs()
{
	mkfs.btrfs -q "$1"
}

# Reads every block and its checksum.
check_fs()
{
	btrfs check --readonly --check-data-csum "$1"
}

e2e_loop
