#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache with flipped bits, cut short, of another format version, with segments of another cache:
# it is refused, or served with nothing wrong in it; no program crashes or hangs over it.
test_limit=300
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/offline_lib.sh"

requires_fuse
requires openssl

seed=${HOSTILE_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
rounds=${HOSTILE_ROUNDS:-12}
echo "HOSTILE_SEED=$seed"

dirty_cache
umount_lcfs "$mnt"
cp "$cache" "$tmp/good"
cp -a "$dir" "$tmp/dir.good"

# The same image names, other contents.
cp "$cache" "$tmp/keep"
rm "$cache"
new_cache "$tmp/other" --size=32M
mkdir "$tmp/otherdir" "$tmp/othermnt"
mount_with_log "$tmp/other" "$tmp/otherdir" "$tmp/othermnt" allow_migrate=0
random_file "$tmp/othermnt/one" 3000000 7
sync "$tmp/othermnt/one"
umount_lcfs "$tmp/othermnt"
mv "$tmp/keep" "$cache"

# next: a pseudo-random number below $1 in $random.
next()
{
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	random=$((seed / 8 % $1))
}

size=$(stat -c %s "$tmp/good")
log_start=$(fact segments_start)
[ -n "$log_start" ] || log_start=2097152

mutate()
{
	cp "$tmp/good" "$cache"
	case $(($1 % 6)) in
	0) # both super blocks, anywhere
		next 432
		flip "$cache" "$random"
		flip "$cache" $((1048576 + random))
		;;
	1) # the image table that counts
		next 4500
		flip "$cache" $(($(table_area) + random))
		;;
	2) # somewhere in the log, in eight places
		for _ in 1 2 3 4 5 6 7 8; do
			next 3500000
			flip "$cache" $((log_start + random))
		done
		;;
	3) # cut short
		next "$size"
		truncate -s $((random / 4096 * 4096)) "$cache"
		;;
	4) # segments of another cache
		next 3
		dd if="$tmp/other" of="$cache" bs=1M count=2 conv=notrunc status=none \
			skip=$((log_start / 1048576 + random)) \
			seek=$((log_start / 1048576 + random))
		;;
	5) # another format version, its checksum not right, and right
		printf '\002' | dd of="$cache" bs=1 seek=16 conv=notrunc status=none
		printf '\002' | dd of="$cache" bs=1 seek=1048592 conv=notrunc status=none
		;;
	esac
}

# right_or_error FILE WANTED: it reads as it should, or not at all.
right_or_error()
{
	timeout 30 cat "$1" >"$tmp/read" 2>/dev/null || return 0
	cmp -s "$tmp/read" "$2" || fail "round $round: $1 reads wrongly, without an error"
}

# survives COMMAND...: it may fail, but neither crash nor hang.
survives()
{
	run "$@"
	[ "$status" -lt 124 ] && return
	cat "$tmp/err"
	fail "round $round: exit status $status: $*"
}

served=0
round=0
while [ $round -lt "$rounds" ]; do
	mutate $round
	survives "$FSCK" -n "$cache"
	survives "$DUMP" "$cache"
	survives "$DUMP" --log "$cache"
	rm -rf "$tmp/exported"
	mkdir "$tmp/exported"
	survives "$OFFLINE" export --damaged "$cache" "$tmp/exported"
	rm -rf "$dir"
	cp -a "$tmp/dir.good" "$dir"
	run "$LCFS" -o "cache=$cache,allow_migrate=0" "$dir" "$mnt"
	[ "$status" -lt 124 ] || fail "round $round: lcfs: exit status $status"
	if [ "$status" = 0 ]; then
		served=$((served + 1))
		right_or_error "$mnt/one" "$tmp/one"
		right_or_error "$mnt/sub/two words" "$tmp/two"
		right_or_error "$mnt/short" "$tmp/short"
		pids=$(daemon_of "$mnt")
		works umount "$mnt"
		for pid in $pids; do
			eventually 20 is_gone "$pid" || fail "round $round: the daemon does not end"
		done
	else
		[ "$(grep -c . "$tmp/err")" -ge 1 ] || fail "round $round: refused without a word"
		! is_mounted "$mnt" || fail "round $round: refused, and mounted"
	fi
	round=$((round + 1))
done
echo "$served of $rounds were served"
