#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# RAM buffers that are not those that the killed daemon left: gone, of another cache, of an earlier
# mount, damaged, not private. Each is refused with one line, nothing is written, and once the right
# ones are back all is there.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

requires_fuse
held='allow_migrate=0,flush_current_buffer_interval=0,commit_super_block_interval=0,ram_buffers=3'
LCFS_OPTIONS="$held,cache=$tmp/cache"

# leave_buffers CACHE DIR: a daemon killed over it, with something in RAM; they are in $pool.
leave_buffers()
{
	cache=$1
	mount_lcfs "$1" "$2" "$tmp/mnt" "$held"
	echo "$1" >"$tmp/mnt/unsynced"
	kill_lcfs "$tmp/mnt"
	pool=$(fact ram_buffers)
	[ -f "$pool" ] || fail "$pool: there are no RAM buffers"
}

mkdir "$tmp/mnt" "$tmp/dir" "$tmp/dir2"
new_cache "$tmp/cache" --size=24M
new_cache "$tmp/cache2" --size=24M
leave_buffers "$tmp/cache2" "$tmp/dir2"
cp "$pool" "$tmp/foreign"
leave_buffers "$tmp/cache" "$tmp/dir"
cp "$pool" "$tmp/earlier"
leave_buffers "$tmp/cache" "$tmp/dir"
cp "$pool" "$tmp/right"
cleanup_fn rm -f "$pool" "$pool.stale-*"
remember

# refused_now TEXT WHAT: the mount, with the cache unchanged; then the right ones are put back.
refused_now()
{
	refused 1 "$1" "$LCFS" -o "$LCFS_OPTIONS" "$tmp/dir" "$tmp/mnt"
	! is_mounted "$tmp/mnt" || fail "$2: it is mounted"
	unchanged "$2"
	rm -f "$pool"
	cp "$tmp/right" "$pool"
	chmod 600 "$pool"
}

missing='the RAM buffers of the last mount are missing'
rm "$pool"
refused_now "$missing" 'no buffers'
cp "$tmp/foreign" "$pool"
refused_now "$missing" 'the buffers of another cache'
cp "$tmp/earlier" "$pool"
refused_now "$missing" 'the buffers of the mount before'
head -c 4096 "$tmp/right" >"$pool"
refused_now "$missing" 'buffers cut off'
head -c 5000 "$tmp/right" >"$pool"
refused_now 'impossible size' 'buffers of an odd size'
: >"$pool"
refused_now 'impossible size' 'empty buffers'
# magic, number, UUID, mount, boot
for offset in 0 12 24 40 71; do
	flip "$pool" "$offset"
	refused_now "$missing" "byte $offset of the header changed"
done
# the table: a buffer of a segment that cannot be, a record where none is
flip "$pool" 4101
refused_now 'RAM buffer 0 does not belong to this log' 'a segment number changed'
flip "$pool" 8264
refused_now 'is not well formed' 'the head of a record changed'
# the last record, which is in RAM only, of another epoch
last=$(od -An -tu4 -j 4104 -N 4 "$pool" | tr -d ' ')
flip "$pool" $((8192 + last * 4096 + 42))
refused_now 'cannot follow the log' 'the branch of a record changed'
chmod 644 "$pool"
refused_now 'not a private file' 'buffers that others can read'
ln "$pool" "$tmp/link" 2>/dev/null || ln "$pool" "$pool.stale-1"
refused_now 'not a private file' 'buffers with a second name'
rm -f "$tmp/link" "$pool.stale-1"
mv "$pool" "$pool.stale-1"
ln -s "$pool.stale-1" "$pool"
refused_now 'symbolic link' 'a link in their place'
chown nobody "$pool" || fail chown
refused_now 'not a private file' "somebody else's buffers"

# What was set aside is not lost while one looks for the cause.
cp "$tmp/foreign" "$pool"
refused 1 "$missing" "$LCFS" -o "$LCFS_OPTIONS" "$tmp/dir" "$tmp/mnt"
cmp "$tmp/foreign" "$pool".stale-* || fail 'what was set aside is not there'
unchanged 'buffers set aside'

cp "$tmp/right" "$pool"
chmod 600 "$pool"
mount_lcfs "$tmp/cache" "$tmp/dir" "$tmp/mnt"
[ "$(cat "$tmp/mnt/unsynced")" = "$tmp/cache" ] || fail "$(cat "$tmp/mnt/unsynced")"
umount_lcfs "$tmp/mnt"
