#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcfs-plot makes the right numbers and valid pictures of all three kinds of logs, also of what this
# build's lcctl and metrics say, and refuses what is none with one line.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

plot=$top_srcdir/scripts/lcfs-plot
LCCTL=$top_builddir/lcfs/tools/lcctl

# row VALUE...: a line of lcctl iostat -H -p
row()
{
	printf '%s' "$1"
	shift
	printf '\t%s' "$@"
	echo
}
{
	row 100 'cache 1' 4096 - - - 0 - - - - - - - -
	row 101 'cache 1' 8192 1 2 3 50 1000 2000 3000 4 5000 0.1 0.2 0.003
	row 101 'a	b' 8192 1 2 3 50 1000 2000 3000 4 5000 0.1 0.2 0.003 | tr '\t' '_' |
		sed 's/_/	/g; s/a	b/a\\011b/'
	row 101 'cache 2' 1 1 2 1 50 1 1 1 4 1 0.1 0.2 0.007
	row 102 'cache 1' 0 1 2 0 - 0 0 0 4 12345678901 - - -
} >"$tmp/tabs"

cat >"$tmp/json" <<END
{"time": 100.5, "seconds": null, "samples": [{"time": 100, "what": "cache 1", \
"dirty_bytes": 4096, "fsyncs_per_second": null, "read_bytes_per_second": null, \
"write_bytes_per_second": null, "log_bytes_per_second": null, \
"migrate_bytes_per_second": null, "fsync_latency_seconds": null}]}
{"time": 101.5, "seconds": 1.000, "samples": [{"time": 101, "what": "cache 1", \
"dirty_bytes": 8192, "fsyncs_per_second": 3, "read_bytes_per_second": 1000, \
"write_bytes_per_second": 2000, "log_bytes_per_second": 3000, \
"migrate_bytes_per_second": 5000, "fsync_latency_seconds": 0.003}, \
{"time": 101, "what": "x{\"y}", "dirty_bytes": 77, "read_bytes_per_second": 77}, \
{"time": 101, "what": "cache 2", "dirty_bytes": 1, "fsyncs_per_second": 1, \
"read_bytes_per_second": 1, "write_bytes_per_second": 1, "log_bytes_per_second": 1, \
"migrate_bytes_per_second": 1, "fsync_latency_seconds": 0.007}]}
END

# metrics TIME DIRTY WRITTEN SYNCS SECONDS SHORT
metrics()
{
	cat <<END
# time $1
# TYPE lcfs_dirty_bytes gauge
lcfs_mount_info{mount="/a b",source="/s",version="1"} 1
lcfs_dirty_bytes{mount="/a b",cache="1"} $2
lcfs_read_bytes_total{mount="/a b",cache="1"} 0
lcfs_write_bytes_total{mount="/a b",cache="1"} $3
lcfs_log_bytes_total{mount="/a b",cache="1"} $3
lcfs_migrated_bytes_total{mount="/a b",cache="1"} 0
lcfs_fsync_seconds_bucket{mount="/a b",cache="1",le="0.001"} $6
lcfs_fsync_seconds_bucket{mount="/a b",cache="1",le="0.002"} $4
lcfs_fsync_seconds_bucket{mount="/a b",cache="1",le="+Inf"} $4
lcfs_fsync_seconds_count{mount="/a b",cache="1"} $4
lcfs_fsync_seconds_sum{mount="/a b",cache="1"} $5
lcfs_image_write_bytes_total{mount="/a b",image="7"} 999
# EOF
END
}
{
	metrics 100.0 4096 10000000000 0 0 0
	metrics 102.0 8192 10000002000 100 0.05 98
	metrics 103.5 0 10000002000 100 0.05 98
} >"$tmp/metrics"

# numbers LOG OPTION...: against standard input.
numbers()
{
	cat >"$tmp/want"
	log=$1
	shift
	works "$plot" --data "$@" "$tmp/$log"
	diff "$tmp/want" "$tmp/out" || fail "wrong numbers of $log"
}
numbers tabs <<END
100 4096.000 ? ? ? ? ? ?
101 8193.000 1001.000 2001.000 3001.000 5001.000 4.000 ?
102 0.000 0.000 0.000 0.000 12345678901.000 ? ?
END
numbers tabs -c 2 <<END
101 1.000 1.000 1.000 1.000 1.000 7.000 ?
END
numbers json <<END
100.5 4096.000 ? ? ? ? ? ?
101.5 8193.000 1001.000 2001.000 3001.000 5001.000 4.000 ?
END
numbers metrics <<END
102.0 8192.000 0.000 1000.000 1000.000 0.000 0.500 1.500
103.5 0.000 0.000 0.000 0.000 0.000 ? ?
END

# refused_log TEXT OPTION...: standard input is the log.
refused_log()
{
	want=$1
	shift
	cat >"$tmp/bad"
	refused 1 "$want" "$plot" "$@" "$tmp/bad"
	[ ! -s "$tmp/out" ] || fail "half a picture of what is refused"
}
refused_log 'line 1: is nothing that' <"$top_srcdir/README.md"
head -c 100000 /dev/urandom | tr '\n' x | refused_log 'line 1: is nothing that'
refused_log 'no two samples' </dev/null
head -n 1 "$tmp/tabs" | refused_log 'no two samples'
{ cat "$tmp/tabs"; echo rubbish; } | refused_log 'line 6: is no line of lcctl iostat -H -p'
{ cat "$tmp/json"; echo '{"time": 3}'; } | refused_log 'line 3: is no line of lcctl iostat -j'
{ cat "$tmp/metrics"; echo '<p>'; } | refused_log 'is no line of OpenMetrics'
{ cat "$tmp/metrics"; echo '# EOF'; } | refused_log 'has no time'
refused_log 'has no cache 9' -c 9 <"$tmp/tabs"
refused 1 'cannot be read' "$plot" "$tmp/nowhere"
refused 1 'has no .lcctl/metrics' "$plot" -r "$tmp"
refused 2 "'x' is no number" "$plot" -c x "$tmp/tabs"
refused 2 '--wrong is no option' "$plot" --wrong
refused 2 "'fast' is no interval" "$plot" -r "$tmp" fast
works "$plot" --help

# What this build says, if it can.
if [ "$(id -u)" = 0 ] && [ -c /dev/fuse ]; then
	standard_mount
	# A second of writes, each synced.
	busy()
	{
		while [ ! -e "$tmp/enough" ]; do
			dd if=/dev/zero of="$mnt/image" bs=4096 count=20 conv=fsync status=none
		done
	}
	busy &
	writer=$!
	cleanup_fn touch "$tmp/enough"
	if [ -e "$mnt/.lcctl/metrics" ]; then
		works "$plot" -r "$mnt" 0.3 4
		mv "$tmp/out" "$tmp/real-metrics"
		works "$plot" --data "$tmp/real-metrics"
		awk '$4 > 0 && $5 > 0 && $7 > 0 && $8 > 0 { n++ } END { exit n < 2 }' "$tmp/out" ||
			fail "no rates of what is written and synced: $(cat "$tmp/out")"
	fi
	if [ -x "$LCCTL" ]; then
		works "$LCCTL" iostat -m "$mnt" -v -y -H -p 1 3
		mv "$tmp/out" "$tmp/real-tabs"
		works "$LCCTL" iostat -m "$mnt" -v -y -j 1 3
		mv "$tmp/out" "$tmp/real-json"
		for log in real-tabs real-json; do
			works "$plot" --data "$tmp/$log"
			awk '$4 > 0 && $5 > 0 { n++ } END { exit n < 2 }' "$tmp/out" ||
				fail "no rates in $log: $(cat "$tmp/out")"
		done
	fi
	touch "$tmp/enough"
	wait $writer || fail "the writer has failed"
	umount_lcfs "$mnt"
fi

# Pictures, where they can be drawn.
requires gnuplot
for log in tabs json metrics real-tabs real-json real-metrics; do
	[ -e "$tmp/$log" ] || continue
	works "$plot" -t "it's <$log> & \"more\"" -o "$tmp/svg" "$tmp/$log"
	[ ! -s "$tmp/err" ] || fail "$log: $(cat "$tmp/err")"
	for word in '<svg' '</svg>' 'MiB/s' '>dirty<' '>written<' '>migrated<' \
		"it's &lt;$log"; do
		grep -qF "$word" "$tmp/svg" || fail "$log: there is no $word in the picture"
	done
	! command -v xmllint >/dev/null || works xmllint --noout --nonet "$tmp/svg"
done
works "$plot" "$tmp/metrics"
grep -qF '>99 % of syncs<' "$tmp/out" || fail "the time of syncs is not drawn"
refused 1 'cannot be written' "$plot" -o "$tmp/no/where" "$tmp/tabs"
