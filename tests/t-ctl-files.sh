#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The control tree through the mount: what is there, how it is read, and that nobody stumbles over
# it.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
standard_mount
ctl=$mnt/.lcctl
echo hello >"$mnt/a"
mkdir "$mnt/sub"
echo hello >"$mnt/sub/b"

# dm-lc's names, all of them files or links, each with the mode that fits.
for name in allow_migrate barrier_deadline_ms commit_super_block commit_super_block_interval \
	flush_current_buffer flush_current_buffer_interval force_migrate nr_max_batched_migration \
	update_interval migrate_threshold; do
	[ "$(stat -c '%F %a %s' "$ctl/caches/1/$name")" = 'regular empty file 644 0' ] ||
		fail "$name: $(stat -c '%F %a %s' "$ctl/caches/1/$name")"
done
for name in last_flushed_segment_id last_migrated_segment_id nr_dirty_caches nr_segments; do
	[ "$(stat -c '%F %a' "$ctl/caches/1/$name")" = 'regular empty file 444' ] ||
		fail "$name: $(stat -c '%F %a' "$ctl/caches/1/$name")"
	grep -Eqx '[0-9]+' "$ctl/caches/1/$name" || fail "$name: $(cat "$ctl/caches/1/$name")"
done
device=$(readlink "$ctl/caches/1/device")
[ "$device" = "$cache" ] || fail "device: $device"

# Each image that has been written, by any way of reading.
found=
for device in "$ctl"/devices/*; do
	name=$(cat "$device/name")
	[ "$(readlink "$device/device")" = "$dir/$name" ] || fail "device of $name"
	[ "$(cat "$device/dev")" = "${name##*/}" ] || fail "dev of $name: $(cat "$device/dev")"
	[ "$(cat "$device/cache_id")" = 1 ] || fail "cache_id of $name: $(cat "$device/cache_id")"
	[ "$(cat "$device/size")" = 6 ] || fail "size of $name: $(cat "$device/size")"
	found="$found $name"
done
[ "$(echo "$found" | tr ' ' '\n' | sort | xargs)" = 'a sub/b' ] || fail "images:$found"
[ "$(head -c 100 "$ctl/version")" = "$(dd if="$ctl/version" bs=1 status=none)" ] || fail "version"
cp "$ctl/version" "$tmp/version"
grep -q . "$tmp/version" || fail "cp reads nothing"
[ "$(cd "$ctl/caches/1" && cat nr_segments)" = "$(knob "$mnt" nr_segments)" ] || fail "cd"

# Out of the way: not listed, not copied, not removed.
[ -z "$(find "$mnt" -name '.lcctl')" ] || fail ".lcctl is found"
cp -a "$mnt/." "$tmp/copy"
[ ! -e "$tmp/copy/.lcctl" ] || fail ".lcctl is copied"

# And not to be changed.
for what in "mkdir $ctl/new" "touch $ctl/new" "rm $ctl/version" "rmdir $ctl/caches" \
	"mv $ctl/version $mnt/version" "mv $mnt/a $ctl/a" "ln -s a $ctl/b" "rmdir $ctl" \
	"ln $mnt/a $ctl/a" "mkdir $mnt/.lcctl"; do
	! $what 2>/dev/null || fail "'$what' works"
done
[ -e "$ctl/version" ] || fail "version has gone"
[ "$(cat "$mnt/a")" = hello ] || fail "a has gone"

# An image that is removed goes from the tree.
rm "$mnt/a"
gone()
{
	! grep -qx a "$ctl"/devices/*/name
}
eventually 10 gone || fail "a is still listed"
