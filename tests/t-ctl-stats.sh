#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# stats.json and metrics of a mount at work: strictly JSON and OpenMetrics with images of any names,
# the same in both, and the numbers are those of what was done.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires python3
requires jq
check()
{
	python3 "$top_srcdir/tests/check_stats.py" "$@" || fail "check_stats $*"
}

# The checker itself: each of these is wrong.
for wrong in '# TYPE a counter\na_total 1\n' '# TYPE a counter\na 1\n# EOF\n' \
	'# TYPE a gauge\na{b="c} 1\n# EOF\n' '# TYPE a gauge\na 1\na 1\n# EOF\n' \
	'# TYPE a_x gauge\n# UNIT a_x bytes\na_x 1\n# EOF\n' 'a 1\n# EOF\n' \
	'# TYPE a gauge\na{b="\\x"} 1\n# EOF\n' '# TYPE a gauge\n\na 1\n# EOF\n'; do
	printf '%b' "$wrong" >"$tmp/wrong"
	! python3 "$top_srcdir/tests/check_stats.py" metrics "$tmp/wrong" >/dev/null ||
		fail "the checker takes '$wrong'"
done

standard_mount 'allow_migrate=0'
ctl=$mnt/.lcctl
cp "$ctl/stats.json" "$tmp/json"
cp "$ctl/metrics" "$tmp/metrics"
check same "$tmp/json" "$tmp/metrics"

# Names that nobody expects.
for name in 'plain.img' 'a "quoted" \ name' "$(printf 'new\nline\ttab')" '}{,=' '# EOF' \
	"$(printf 'not\377utf\3008')" "$(printf '\303\251\360\237\230\200')" \
	"$(printf '\001\033[31m')"; do
	dd if=/dev/zero of="$mnt/$name" bs=4096 count=3 conv=fsync status=none
done
cat "$mnt/plain.img" >/dev/null
cp "$ctl/stats.json" "$tmp/json"
cp "$ctl/metrics" "$tmp/metrics"
check same "$tmp/json" "$tmp/metrics"
jq -e . "$tmp/json" >/dev/null || fail "jq does not read it"

# is FILTER: holds of stats.json, which is read anew.
is()
{
	cat "$ctl/stats.json" >"$tmp/json"
	jq -e "$1" "$tmp/json" >/dev/null || fail "not so: $1: $(jq -c "$2" "$tmp/json")"
}
is '.state == "ok" and (.caches | length) == 1 and (.images | length) == 8' .images
is '.caches[0] | .nr_dirty_caches == 24 and .write_bytes == 8 * 12288' '.caches[0]'
is '.caches[0].latency | .write.count == 24 and .fsync.count >= 8 and .flush.count > 0' \
	'.caches[0].latency'
is '.images[] | select(.name == "plain.img") | .state == "dirty" and .dirty_bytes == 12288 and
	.writes == 3 and .write_bytes == 12288 and .fsyncs >= 1 and .size == 12288' .images
is '[.images[].name] | contains(["not\\xffutf\\xc08", "new\nline\ttab", "é😀"])' '[.images[].name]'
grep -q '^lcfs_dirty_bytes{mount="[^"]*",cache="1"} 98304$' "$tmp/metrics" || fail "dirty_bytes"

# Home: the counters of migration have moved, ages have gone.
echo 1 >"$ctl/drain"
is '.caches[0] | .nr_dirty_caches == 0 and .dirty_age_ms == 0 and .migrated_bytes == 98304 and
	.latency.migrate.count > 0' '.caches[0]'
is '[.images[].state] | unique == ["clean"]' '[.images[].state]'

# Text for people.
grep -qx 'state: ok' "$ctl/status" || fail "status: $(cat "$ctl/status")"
grep -qx 'images: 8, 8 clean' "$ctl/status" || fail "status: $(cat "$ctl/status")"
echo 5 >"$ctl/caches/1/update_interval"
grep -qx 'update_interval = 5' "$ctl/config" || fail "config: $(cat "$ctl/config")"
grep -qx "cache = $cache" "$ctl/config" || fail "config: $(cat "$ctl/config")"
grep -qx 'ram_buffers = 64' "$ctl/config" || fail "config: $(cat "$ctl/config")"
