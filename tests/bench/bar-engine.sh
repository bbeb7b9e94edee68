# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# The engine alone, 4 KiB random writes, against fio's sequential 1 MiB writes, 8 at a time.

bar_engine()
{
	row engine MB/s more 0.95 "engine alone, 4 KiB random writes / fio sequential 1 MiB QD8"
	rounds=$pairs
	[ "$rounds" -le 20 ] || rounds=20
	mkdir -p "$tmp/engine"
	# It makes a file where it is started.
	client sh -c 'cd "$1" && shift && exec "$@"' sh "$tmp/engine" \
		"$BENCH_ENGINE" -o s -j -s "${engine_mb}M" -r "$rounds" "$cache" \
		>"$tmp/engine/out" || die "bench_engine failed"
	awk '$1 == "sample" { print $2, $3, $4, $5 }' "$tmp/engine/out" >"$tmp/engine/samples"
	while read -r side pair value cpu; do
		sample engine "$pair" "$side" "$value" "$cpu"
	done <"$tmp/engine/samples"
}
