#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Two caches on loop devices: images under a verified load are attached, detached and moved between
# them, the daemon is killed in the middle, and the caches come back in the other order.
test_limit=180
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_loop
requires_fuse
requires shuf
seed=${LCFS_TEST_SEED:-$(date +%s)}
echo "seed $seed (LCFS_TEST_SEED)"

for name in one two; do
	truncate -s 96M "$tmp/$name.dev"
	attach "$tmp/$name.dev"
	works "$MKFS" -q "$loop"
	eval "$name=\$loop"
done
dir=$tmp/dir
mnt=$tmp/mnt
mkdir "$dir" "$mnt"

# id NAME: the number of the image in .lcctl/devices.
id()
{
	for number in "$mnt"/.lcctl/devices/*; do
		[ "$(cat "$number/name" 2>/dev/null)" != "$1" ] || { basename "$number"; return; }
	done
}

cache_of()
{
	cat "$mnt/.lcctl/devices/$(id "$1")/cache_id"
}

# move NAME CACHE
move()
{
	timeout 120 sh -c 'echo "$2" >"$1"' sh "$mnt/.lcctl/devices/$(id "$1")/cache_id" "$2"
}

mount_with_log "$one" "$dir" "$mnt" "cache=$two,policy=round_robin,exclude=*.iso"
[ "$(ls "$mnt/.lcctl/caches")" = "$(printf '1\n2')" ] || fail "$(ls "$mnt/.lcctl/caches")"
[ "$(readlink "$mnt/.lcctl/caches/2/device")" = "$two" ] || fail "caches/2 is not $two"
files=
for name in a b c; do
	truncate -s 16M "$mnt/$name"
	files="$files $mnt/$name"
done
exec 3<>"$mnt/a" 4<>"$mnt/b" 5<>"$mnt/c"
case "$(cache_of a) $(cache_of b) $(cache_of c)" in
'1 2 1' | '2 1 2') ;;
*) fail "no round: $(cache_of a) $(cache_of b) $(cache_of c)" ;;
esac
random_file "$tmp/plain" 300000 "$seed"
cp "$tmp/plain" "$mnt/disc.iso"
same "$dir/disc.iso" "$tmp/plain" # at once: it is not cached
exec 3<&- 4<&- 5<&-
"$VERIFIER" init "$tmp/journal" 3 32768 "$seed"

# One move after the other, until the mount is gone: $tmp/moves counts them.
move_on()
{
	: >"$tmp/moves"
	while is_mounted "$mnt"; do
		name=$(shuf -e -n 1 a b c)
		to=$(shuf -i 0-2 -n 1)
		move "$name" "$to" 2>/dev/null || continue
		[ "$(cache_of "$name" 2>/dev/null)" = "$to" ] || continue
		echo "$name $to" >>"$tmp/moves"
	done
}

has_moved()
{
	[ "$(wc -l <"$tmp/moves")" -ge 3 ]
}

first=$two second=$one
round=0
for options in '' '-d' '-u' '-d -u' ''; do
	round=$((round + 1))
	# shellcheck disable=SC2086
	"$VERIFIER" write $options -t 60 "$tmp/journal" $files >"$tmp/written" 2>&1 &
	writer=$!
	move_on >/dev/null 2>&1 &
	mover=$!
	eventually 50 has_moved || fail "round $round: no image moves: $(cat "$tmp/moves")"
	# Not to wait for something: this is the random moment.
	sleep "0.$(shuf -i 100-999 -n 1)"
	kill_lcfs "$mnt"
	wait $writer || { cat "$tmp/written"; fail "round $round: the writer has failed"; }
	wait $mover || :
	mount_with_log "$first" "$dir" "$mnt" "cache=$second,policy=round_robin,exclude=*.iso"
	swap=$first first=$second second=$swap
	[ "$(readlink "$mnt/.lcctl/caches/2/device")" = "$two" ] || fail "caches/2 is not $two"
	# shellcheck disable=SC2086
	timeout 60 "$VERIFIER" check "$tmp/journal" $files ||
		fail "round $round ($options): something acknowledged is not there"
done

# Out of the caches: what is in the plain files is all of it.
exec 3<>"$mnt/a" 4<>"$mnt/b" 5<>"$mnt/c"
for name in a b c; do
	move "$name" 0 || fail "$name cannot be detached"
done
"$VERIFIER" check "$tmp/journal" "$dir/a" "$dir/b" "$dir/c" ||
	fail "the plain files are not what was written"
exec 3<&- 4<&- 5<&-
! grep -i conflict "$tmp/log" || fail "a conflict"
umount_lcfs "$mnt"

# Nothing is left in either: one is enough.
mount_with_log "$two" "$dir" "$mnt" allow_migrate=0
[ "$(ls "$mnt/.lcctl/caches")" = 2 ] || fail "$(ls "$mnt/.lcctl/caches")"
exec 3<>"$mnt/a"
[ "$(cache_of a)" = 0 ] || fail "a is attached again"
move a 2
# shellcheck disable=SC2086
"$VERIFIER" write -t 1 "$tmp/journal" $files
exec 3<&-
echo dirty >"$mnt/d" # whatever of the others has migrated because the log ran short
umount_lcfs "$mnt"
refused 1 'newer data in cache' "$LCFS" -o "cache=$one" "$dir" "$mnt"

# One comes, the other goes, under load; what is refused changes nothing.
mount_with_log "$two" "$dir" "$mnt"
! echo /dev/null >"$mnt/.lcctl/add_cache" 2>"$tmp/err" || fail "/dev/null is a cache"
! echo "$two" >"$mnt/.lcctl/add_cache" 2>"$tmp/err" || fail "the same cache twice"
! echo 7 >"$mnt/.lcctl/remove_cache" 2>"$tmp/err" || fail "there is no cache 7"
[ "$(ls "$mnt/.lcctl/caches")" = 2 ] || fail "$(ls "$mnt/.lcctl/caches")"
# shellcheck disable=SC2086
"$VERIFIER" write -t 5 "$tmp/journal" $files >"$tmp/written" 2>&1 &
writer=$!
timeout 60 sh -c 'echo "$1" >"$2"' sh "$one" "$mnt/.lcctl/add_cache" || fail "no second cache"
[ "$(ls "$mnt/.lcctl/caches")" = "$(printf '1\n2')" ] || fail "$(ls "$mnt/.lcctl/caches")"
timeout 120 sh -c 'echo 2 >"$1"' sh "$mnt/.lcctl/remove_cache" || fail "the first does not go"
[ "$(ls "$mnt/.lcctl/caches")" = 1 ] || fail "$(ls "$mnt/.lcctl/caches")"
works losetup -d "$two"
wait $writer || { cat "$tmp/written"; fail "the writer has failed"; }
umount_lcfs "$mnt"
mount_with_log "$one" "$dir" "$mnt"
# shellcheck disable=SC2086
timeout 60 "$VERIFIER" check "$tmp/journal" $files || fail "something acknowledged is not there"
