#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A start that fails half-way, for want of memory, takes nothing along: what a killed daemon left in
# the RAM buffers is there at the next mount, which needs no option for it.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires prlimit
prlimit --as=100000000 "$LCFS" --version >/dev/null 2>&1 ||
	skip "a sanitized program does not start with little address space"
dir=$tmp/dir
mnt=$tmp/mnt
cache=$tmp/cache
mkdir "$dir" "$mnt"
works "$MKFS" --size=64M "$cache"
dd if=/dev/urandom of="$tmp/want" bs=64k count=3 status=none

refused 1 'ulimit -n' prlimit --nofile=20 "$LCFS" -o "cache=$cache" "$dir" "$mnt"

refusals=0
for mib in 60 80 90 100 110 120 140 160 180 200 240; do
	rm -f "$dir/image"
	mount_lcfs "$cache" "$dir" "$mnt" flush_current_buffer_interval=0
	cp "$tmp/want" "$mnt/image"
	kill -9 "$(daemon_of "$mnt")"
	umount -l "$mnt"
	run prlimit --as=$((mib << 20)) "$LCFS" -o "cache=$cache" "$dir" "$mnt"
	if [ "$status" = 0 ]; then
		umount "$mnt"
	else
		refusals=$((refusals + 1))
		! is_mounted "$mnt" || fail "$mib MiB: something is mounted"
		grep -qv ': warning: ' "$tmp/err" || fail "$mib MiB: no reason is told"
	fi
	mount_lcfs "$cache" "$dir" "$mnt"
	same "$tmp/want" "$mnt/image"
	umount "$mnt"
done
[ "$refusals" -gt 0 ] || fail "no limit was low enough for a start to fail"
