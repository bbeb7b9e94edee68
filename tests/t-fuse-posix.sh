#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The mount behaves as a filesystem does: whether images answer at once or later, with the kernel's
# write-back cache, with few descriptors, without clones of /dev/fuse.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

seed=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
for how in ctl "async=$((seed + 1)),workers=4" writeback,fds=300 async=11,workers=0; do
	echo "== $how"
	fs_start -o "$how"
	timeout 300 "$bin/fs_posix" "$mnt" || fail "with $how"
	[ -z "$(ls -A "$back")" ] || fail "something is left in the backing directory"
	fs_stop
done
