#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache device that cannot even be read any more: what was in RAM is saved; what only the device
# had is lost, and gives EIO until it is overwritten, never old bytes. When the device is there
# again its log is not replayed over what is newer: such images are held until the admin decides.
# One that was not written to meanwhile has lost nothing.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/lcctl_lib.sh"
set -eu

alone "$0"
requires nbdkit nbdfuse getfattr
device=$tmp/device
dir=$tmp/dir
mnt=$tmp/mnt

# serve: the cache, whose requests fail for as long as there is a file $tmp/bad.
serve()
{
	nbdkit -f -U "$tmp/socket" --filter=error file "$tmp/disk" \
		error=EIO error-rate=100% error-file="$tmp/bad" >"$tmp/nbdkit.log" 2>&1 &
	cleanup_fn end_process $!
	eventually 20 test -S "$tmp/socket" || fail "nbdkit does not start"
	: >"$device"
	cleanup_fn unmount_quietly "$device"
	nbdfuse "$device" --unix "$tmp/socket" &
	eventually 20 is_mounted "$device" || fail "nbdfuse does not start"
}

# overwrite NAME BLOCK: in the mount, and in what it should be.
overwrite()
{
	for to in "$mnt/$1" "$tmp/$1"; do
		dd if="$tmp/new" of="$to" bs=4096 count=1 seek="$2" conv=notrunc,fsync \
			2>"$tmp/dd" && continue
		cat "$tmp/dd"
		fail "$to: block $2 cannot be written"
	done
}

# has_mark NAME MARK
has_mark()
{
	getfattr -n "user.lcfs.$2" "$dir/$1" >/dev/null 2>&1
}

has_state()
{
	[ "$(cat "$mnt/.lcctl/caches/1/state")" = "$1" ]
}

fallocate -l 64M "$tmp/disk" || skip "no space can be allocated here"
works "$MKFS" -q "$tmp/disk"
mkdir "$dir" "$mnt"
for name in quiet large small; do
	size=40960
	[ $name != large ] || size=31457280
	"$VERIFIER" random "$dir/$name" $size 1
	"$VERIFIER" random "$tmp/$name" $size 2
done
"$VERIFIER" random "$tmp/new" 4096 3
requires_xattrs "$dir"

serve
mount_with_log "$device" "$dir" "$mnt" allow_migrate=0,ram_buffers=4
for name in quiet large small; do
	dd if="$tmp/$name" of="$mnt/$name" bs=1M conv=notrunc,fsync 2>/dev/null
done
: >"$tmp/bad"
overwrite small 3
same "$mnt/small" "$tmp/small"
same "$dir/small" "$tmp/small"
eventually 10 has_state failed || fail "the state is $(cat "$mnt/.lcctl/caches/1/state")"
grep -q 'bytes that only it had are lost' "$mnt/.lcctl/caches/1/reason" || fail "no reason"
grep -q '^lcfs_cache_lost_bytes{.*[1-9]' "$mnt/.lcctl/metrics" || fail "no metric"
for name in large quiet; do
	! dd if="$mnt/$name" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null ||
		fail "old bytes of $name are shown"
done
cmp "$mnt/large" "$tmp/large" 31457279 31457279 || fail "what was in RAM cannot be read"
overwrite large 0
dd if="$mnt/large" bs=4096 count=1 iflag=direct 2>/dev/null | cmp - "$tmp/new" ||
	fail "what was overwritten cannot be read"
eventually 10 grep -q 'large: .* only on the cache device that is lost (bytes ' "$tmp/log" ||
	fail "what is lost is not said"
run "$LCCTL" drain "$mnt/large"
[ "$status" = 1 ] || fail "drain says $status of what is lost"
umount "$mnt"
eventually 20 is_gone "$logged" || fail "the daemon does not end"
! wait "$logged" || fail "data is owed, and the daemon ends with status 0"
has_mark small left || fail "small does not say that it left the cache"
! has_mark small dirty || fail "small is marked as incomplete"
has_mark large dirty || fail "large is not marked as incomplete"
! has_mark quiet left || fail "quiet left the cache, though nobody wrote to it"

rm "$tmp/bad"
run "$LCCTL" apply --dry-run "$device" "$dir"
[ "$status" = 1 ] || fail "apply ends with $status"
grep -q 'small: not changed: .*while this cache was lost' "$tmp/err" || fail "apply does not see it"
same "$dir/small" "$tmp/small"
mount_with_log "$device" "$dir" "$mnt" allow_migrate=0
for name in small large; do
	! cat "$mnt/$name" >/dev/null 2>&1 || fail "$name is served though both have newer data"
	grep -q "$name: conflict: .*while this cache was lost" "$tmp/log" ||
		fail "it is not said why"
done
same "$mnt/quiet" "$tmp/quiet"
set_knob "$mnt" force_migrate 1
set_knob "$mnt" flush_current_buffer 1
same "$dir/small" "$tmp/small"
works "$LCCTL" resolve --keep-backing "$mnt/small"
same "$mnt/small" "$tmp/small"
! has_mark small left || fail "the mark stays after it was resolved"
works "$LCCTL" resolve --keep-cache "$mnt/large"
"$VERIFIER" random "$tmp/large" 31457280 2
same "$mnt/large" "$tmp/large"
drain "$mnt"
umount_lcfs "$mnt"
for name in quiet large small; do
	same "$dir/$name" "$tmp/$name"
	! has_mark $name left || fail "$name keeps its mark"
done
