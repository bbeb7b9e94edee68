#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The soak for some seconds: the daemon is killed at work, while it mounts and while it unmounts,
# under a verified load on two caches. SOAK_SECONDS and LCFS_TEST_SEED make it another one.
test_limit=$((${SOAK_SECONDS:-12} + 240))
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires_loop
requires_fs ext4
requires python3 unshare
seed=${LCFS_TEST_SEED:-$(date +%s)}
"$top_srcdir/scripts/soak" --build "$top_builddir" --seconds "${SOAK_SECONDS:-12}" --seed "$seed" \
	--faults kill,mount,umount,clean --round 0.7 --small
