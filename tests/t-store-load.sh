#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A backing directory without a block device, whose load nobody counts but lcfs: a slow store is as
# busy as those who wait for it say. What migration itself asks of it is no load: it goes on until
# all is done; readers are, and it waits until they are.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/store_lib.sh"
set -eu

requires_fuse
back=$tmp/back
store=$tmp/store
mnt=$tmp/mnt
mkdir "$back" "$store" "$mnt"
truncate -s 64M "$back/image"
truncate -s 1G "$back/known" "$back/unknown"
faultdir_start "$back" "$store"
new_cache "$tmp/cache"
mount_with_log "$tmp/cache" "$store" "$mnt" 'allow_migrate=0,exclude=unknown'

busy()
{
	knob "$mnt" busy_percent
}

is_busy()
{
	[ "$(busy)" -ge "$1" ] 2>/dev/null
}

is_idle()
{
	[ "$(busy)" = 0 ]
}

# make_dirty BLOCKS: far from each other, a request each.
make_dirty()
{
	at=0
	while [ $at -lt "$1" ]; do
		dd if=/dev/zero of="$mnt/image" bs=4k count=1 seek=$((37 * at)) \
			conv=notrunc status=none
		at=$((at + 1))
	done
}

eventually 20 is_idle || fail "busy_percent of a store at rest is $(busy)"

# Whoever migrates does not stand in his own way.
make_dirty 100
fault write image ok delay=300
fault fsync image ok delay=3000
set_knob "$mnt" allow_migrate 1
looks=0
end=$(($(date +%s) + 60 * ${CK_TIMEOUT_MULTIPLIER:-1}))
until is_clean "$mnt"; do
	is_idle || fail "migration makes the store $(busy) % busy"
	looks=$((looks + $(knob "$mnt" migrating)))
	[ "$(date +%s)" -lt $end ] || fail "it is not migrated"
	sleep 0.1
done
[ $looks -ge 3 ] || fail "migration was too fast to be looked at: $looks"

# Who reads, waits; a file that is no image of the cache is read in another way.
fault clear
fault read '*known' ok delay=200
for file in unknown known; do
	dd if="$mnt/$file" of=/dev/null bs=64k iflag=direct status=none &
	reader=$!
	cleanup_fn end_process $reader
	eventually 30 is_busy 70 || fail "$file: readers make the store $(busy) % busy"
	[ $file = unknown ] || break
	end_process $reader
	eventually 30 is_idle || fail "$(busy) % busy without a reader"
done
make_dirty 40
for look in 1 2 3 4 5 6 7 8; do
	is_busy 70 || fail "look $look: readers make the store $(busy) % busy"
	! is_clean "$mnt" || fail "look $look: migrated in spite of a store that is $(busy) % busy"
	sleep 0.3
done
end_process $reader
eventually 30 is_clean "$mnt" || fail "not migrated though the store is $(busy) % busy"
umount_lcfs "$mnt"
