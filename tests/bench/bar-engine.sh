# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# The engine alone, 4 KiB random writes, against sequential 1 MiB writes, 8 at a time: by fio on the
# cache device as it is, by bench_engine itself, and on a device that takes 266 MB/s.

# engine_on DEVICE: its samples go to $tmp/engine/samples.
engine_on()
{
	rounds=$pairs
	[ "$rounds" -le 20 ] || rounds=20
	mkdir -p "$tmp/engine"
	# It makes a file where it is started.
	client sh -c 'cd "$1" && shift && exec "$@"' sh "$tmp/engine" \
		"$BENCH_ENGINE" -o s -j -s "${engine_mb}M" -r "$rounds" "$1" \
		>"$tmp/engine/out" || die "bench_engine failed"
	awk '$1 == "sample" { print $2, $3, $4, $5 }' "$tmp/engine/out" >"$tmp/engine/samples"
}

# engine_samples ROW REF: what is held against what bench_engine calls REF.
engine_samples()
{
	while read -r side pair value cpu; do
		case $side in
		lcfs) sample "$1" "$pair" lcfs "$value" "$cpu" ;;
		"$2") sample "$1" "$pair" ref "$value" "$cpu" ;;
		esac
	done <"$tmp/engine/samples"
}

# A file that is passed through at that rate. A cgroup would not do: the bytes of a request that the
# block layer splits are counted again, and what is split depends on where its memory lies.
engine_throttled()
{
	: >"$tmp/engine-266"
	serve "$tmp/engine-266" "$LOOP_MT" -r 266000000 -p "$cache" "$tmp/engine-266"
	engine_on "$tmp/engine-266"
	engine_samples engine-266 ref
}

bar_engine()
{
	row engine MB/s more 0.98 "engine alone, 4 KiB random writes / fio sequential 1 MiB QD8"
	row engine-own MB/s more - "the same / 1 MiB QD8 by the same program"
	row engine-266 MB/s more 0.99 "the same / fio on a file passed through at 266 MB/s"
	engine_on "$cache"
	engine_samples engine ref
	engine_samples engine-own raw
	engine_throttled
}
