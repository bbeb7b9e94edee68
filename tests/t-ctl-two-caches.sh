#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The control tree of a mount with two caches: each has its own knobs, numbers and times; drain of
# one leaves the other alone; what moves is counted where it is.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires python3
requires jq
new_cache "$tmp/one"
new_cache "$tmp/two"
dir=$tmp/dir
mnt=$tmp/mnt
ctl=$mnt/.lcctl
mkdir "$dir" "$mnt"
mount_lcfs "$tmp/one" "$dir" "$mnt" "cache=$tmp/two,policy=round_robin,allow_migrate=0"

# is FILTER: holds of stats.json, which is read anew, and is the same as the metrics.
is()
{
	cat "$ctl/stats.json" >"$tmp/json"
	cat "$ctl/metrics" >"$tmp/metrics"
	python3 "$top_srcdir/tests/check_stats.py" same "$tmp/json" "$tmp/metrics" || fail "stats"
	jq -e "$1" "$tmp/json" >/dev/null || fail "not so: $1: $(jq -c 'del(.caches[].latency)' \
		"$tmp/json")"
}

# refuses ERROR VALUE FILE
refuses()
{
	! echo "$2" | LC_ALL=C dd of="$3" conv=notrunc status=none 2>"$tmp/err" ||
		fail "$3 takes $2"
	grep -q "$1" "$tmp/err" || fail "'$2' to $3: $(cat "$tmp/err")"
}

dd if=/dev/zero of="$mnt/a" bs=4096 count=5 conv=fsync status=none
dd if=/dev/zero of="$mnt/b" bs=4096 count=7 conv=fsync status=none
is '[.caches[].id] == [1, 2]'
is '[.caches[].write_bytes] | sort == [20480, 28672]'
is '[.caches[].nr_dirty_caches] | sort == [5, 7]'
is '[.caches[].latency.write.count] | sort == [5, 7]'
is '[.images[].cache_id] | sort == [1, 2]'
is '(.caches[] | select(.device | endswith("/two")) | .id) == 2'

for id in 1 2; do
	grep -qx "current cache_id_ptr: $id" "$ctl/caches/$id/status" || fail "status of $id"
done
[ ! -e "$ctl/caches/3" ] || fail "a third cache"

# Knobs of their own.
echo 11 >"$ctl/caches/1/migrate_threshold"
echo 22 >"$ctl/caches/2/migrate_threshold"
for device in "$ctl"/devices/*; do
	id=$(cat "$device/cache_id")
	[ "$(cat "$device/migrate_threshold")" = "$id$id" ] || fail "threshold of $device"
done
grep -qx 'migrate_threshold = 11:22' "$ctl/config" || fail "$(cat "$ctl/config")"

# One is drained, the other is not.
echo 1 >"$ctl/caches/1/drain"
is '.caches | (.[0].dirty_bytes == 0) and .[0].dirty_age_ms == 0 and .[1].dirty_bytes > 0'

# From the first to the second, and out of all.
image=$(jq -r '.images[] | select(.cache_id == 1) | .id' "$tmp/json")
refuses 'Numerical result out of range' 3 "$ctl/devices/$image/cache_id"
refuses 'Numerical result out of range' 256 "$ctl/devices/$image/cache_id"
refuses 'Invalid argument' one "$ctl/devices/$image/cache_id"
exec 3<>"$mnt/$(cat "$ctl/devices/$image/name")"
echo 2 >"$ctl/devices/$image/cache_id"
is '[.images[].cache_id] == [2, 2]'
echo 0 >"$ctl/devices/$image/cache_id"
[ "$(cat "$ctl/devices/$image/state")" = uncached ] || fail "$(cat "$ctl/devices/$image/state")"
is ".images[] | select(.id == $image) | .cache_id == 0 and .state == \"uncached\""
! cat "$ctl/devices/$image/migrate_threshold" 2>/dev/null || fail "the threshold of no cache"
refuses 'No such device' 5 "$ctl/devices/$image/migrate_threshold"
dd if=/dev/zero of=/dev/fd/3 bs=4096 count=1 conv=notrunc status=none
[ "$(cat "$ctl/caches/1/dirty_bytes")" = 0 ] || fail "an uncached image is cached"
exec 3<&-
echo 1 >"$ctl/drain"
is '[.caches[].dirty_bytes] == [0, 0]'
