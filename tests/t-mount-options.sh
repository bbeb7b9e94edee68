#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Mount options: those for others are ignored, flags reach the mount, names are shown, knobs are
# set.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires df

shown()
{
	findmnt -n -o "$1" "$mnt"
}

has_flag()
{
	findmnt -n -o OPTIONS "$mnt" | tr ',' '\n' | grep -qx "$1"
}

listed()
{
	find "$mnt" -maxdepth 1 -name "$1" | grep -q .
}

# Neutral words, all at once.
neutral='nofail,_netdev,user,users,owner,group,noauto,auto,relatime,norelatime,strictatime'
standard_mount "$neutral,lazytime,nonempty,defaults,comment=hello,x-systemd.requires=a,X-b=c"
[ "$(shown FSTYPE)" = fuse.lcfs ] || fail "type: $(shown FSTYPE)"
[ "$(shown SOURCE)" = "$dir" ] || fail "source: $(shown SOURCE)"
df --output=source "$mnt" | grep -qx "$dir" || fail "df: $(df "$mnt")"
for flag in rw nosuid nodev allow_other default_permissions; do
	has_flag $flag || fail "not $flag: $(shown OPTIONS)"
done
cat "$mnt/.lcctl/version" >/dev/null || fail "no .lcctl"
! listed .lcctl || fail ".lcctl is listed"
umount_lcfs "$mnt"

# Flags, fsname, .lcctl visible.
standard_mount 'ro,noexec,noatime,suid,dev,fsname=my images,noallow_other,ctldir=visible'
for flag in ro noexec noatime; do
	has_flag $flag || fail "not $flag: $(shown OPTIONS)"
done
for flag in nosuid nodev allow_other; do
	! has_flag $flag || fail "$flag: $(shown OPTIONS)"
done
[ "$(shown SOURCE)" = 'my images' ] || fail "source: $(shown SOURCE)"
listed .lcctl || fail ".lcctl is not listed"
! touch "$mnt/new" 2>/dev/null || fail "a file made on a read-only mount"
umount_lcfs "$mnt"

# Each knob, given as an option, is what its file says; without the option it has its default.
values='allow_migrate=0 force_migrate=1 barrier_deadline_ms=7 commit_super_block_interval=9
flush_current_buffer_interval=11 nr_max_batched_migration=13
update_interval=15 migrate_threshold=17 stall_timeout=19 scrub_rate=21 device_timeout=23'
# shellcheck disable=SC2086
standard_mount "$(echo $values | tr ' ' ',')"
for value in $values; do
	[ "$(knob "$mnt" "${value%=*}")" = "${value#*=}" ] ||
		fail "$value is $(knob "$mnt" "${value%=*}")"
done
umount_lcfs "$mnt"
standard_mount
sed -n 's/^KNOB(KNOB_[A-Z_]*, \([a-z_]*\), "[^"]*", [0-9]*, [0-9]*, \([0-9]*\),$/\1 \2/p' \
	"$top_srcdir/lcfs/ctl/knobs.def" >"$tmp/defaults"
[ "$(wc -l <"$tmp/defaults")" = "$(grep -c '^KNOB(' "$top_srcdir/lcfs/ctl/knobs.def")" ] ||
	fail "$(cat "$tmp/defaults")"
while read -r name value; do
	[ "$(knob "$mnt" "$name")" = "$value" ] ||
		fail "$name is $(knob "$mnt" "$name"), not $value"
done <"$tmp/defaults"
umount_lcfs "$mnt"

# As long options.
cleanup_fn end_mount "$mnt"
works "$LCFS" "$dir" "$mnt" "--cache=$cache" --migrate-threshold=23 --ram_buffers=4
[ "$(knob "$mnt" migrate_threshold)" = 23 ] || fail "--migrate-threshold is not taken"
