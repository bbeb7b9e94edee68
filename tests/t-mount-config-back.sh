#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What .lcctl/config says of a mount leads to the same mount: as a configuration file, and its
# words on the command line. With several caches that have knobs of their own, lists, and names
# that have to be quoted.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
dir="$tmp/the 'dir', #1"
mnt="$tmp/mnt]"
mkdir "$dir" "$mnt"
cleanup_fn end_mount '"$mnt"'
new_cache "$tmp/a"
new_cache "$tmp/b,c;"
ctl=$mnt/.lcctl

# again COMMAND...: mounts, and the mount says the same of itself.
again()
{
	umount_lcfs "$mnt"
	works "$@"
	is_mounted "$mnt" || fail "is not mounted: $*"
	cat "$ctl/config" >"$tmp/again"
	diff "$tmp/config" "$tmp/again" || fail "not the same mount: $*"
}

# words FILE: its lines as --KEY=VALUE or, of flags of the mount, -o FLAG; a NUL behind each.
words()
{
	sed -n "s/^\([a-z_]*\) = \(.*\)$/\1 \2/p" "$1" | while read -r key value; do
		case $value in
		\"*) value=${value#\"} value=${value%\"} ;;
		\'*) value=${value#\'} value=${value%\'} ;;
		esac
		case $key in
		cache | include | exclude)
			value=$(printf '%s\n' "$value" | sed 's/\\\(.\)/\1/g')
			;;
		ro | suid | nosuid | dev | nodev | noexec | noatime)
			printf -- '-o\0%s\0' "$key"
			continue
			;;
		esac
		printf -- '--%s=%s\0' "$key" "$value"
	done
}

# there_and_back: as the mount is now.
there_and_back()
{
	cat "$ctl/config" >"$tmp/config"
	! grep '^#' "$tmp/config" || fail "something is left out"
	again "$LCFS" -o "config=$tmp/config" "$mnt"
	words "$tmp/config" >"$tmp/words"
	# shellcheck disable=SC2016
	again xargs -0a "$tmp/words" sh -c 'mnt=$1; shift; exec "$0" -o config=none "$@" "$mnt"' \
		"$LCFS" "$mnt"
}

# One cache, and nothing but it.
works "$LCFS" --cache="$tmp/a" "$dir" "$mnt"
there_and_back
grep -qx 'cache = .*/a' "$tmp/config" || fail "the cache is missing: $(cat "$tmp/config")"
umount_lcfs "$mnt"

# Two, and whatever there is.
works "$LCFS" --cache="$tmp/a" --cache="$tmp/b,c;" --policy=round_robin --include='*.raw' \
	--include='a, #[1]\*' --exclude='*;"old"' --exclude=' x ' --fsname="it's; here" \
	-o suid,noatime,ctldir=visible,workers=3,nowriteback_cache \
	-o migrate_threshold=41,update_interval=2:3 "$dir" "$mnt"
[ "$(cat "$ctl/caches/1/update_interval")" = 2 ] || fail "update_interval of cache 1"
[ "$(cat "$ctl/caches/2/update_interval")" = 3 ] || fail "update_interval of cache 2"
[ "$(cat "$ctl/caches/2/migrate_threshold")" = 41 ] || fail "migrate_threshold of cache 2"
echo 0 >"$ctl/caches/2/allow_migrate"
there_and_back
grep -qx 'allow_migrate = 1:0' "$tmp/config" || fail "allow_migrate: $(cat "$tmp/config")"
[ "$(cat "$ctl/caches/1/allow_migrate")" = 1 ] || fail "allow_migrate of cache 1"
[ "$(cat "$ctl/caches/2/allow_migrate")" = 0 ] || fail "allow_migrate of cache 2"
[ "$(findmnt -no SOURCE "$mnt")" = "it's; here" ] || fail "fsname"

# A cache that came later is one of them.
new_cache "$tmp/late"
echo "$tmp/late" >"$ctl/add_cache" || fail "$(cat "$ctl/add_cache")"
[ "$(cat "$ctl/caches/3/update_interval")" = 1 ] || fail "update_interval of cache 3"
there_and_back
grep -qx 'update_interval = 2:3:1' "$tmp/config" || fail "$(cat "$tmp/config")"
umount_lcfs "$mnt"

# As many numbers as caches.
refused 2 'update_interval has 3 numbers, and there are 2 caches' "$LCFS" --cache="$tmp/a" \
	--cache="$tmp/late" -o update_interval=1:2:3 "$dir" "$mnt"
