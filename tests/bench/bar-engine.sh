# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# The engine alone, 4 KiB random writes, against sequential 1 MiB writes, 8 at a time: by fio on the
# cache device as it is, by bench_engine itself, and on a device that takes 266 MB/s.
. "$bench_src/disk.sh"

# engine_on DEVICE [COMMAND...]: its samples go to $tmp/engine/samples.
engine_on()
{
	engine_device=$1
	shift
	rounds=$pairs
	[ "$rounds" -le 20 ] || rounds=20
	mkdir -p "$tmp/engine"
	# It makes a file where it is started.
	client sh -c 'cd "$1" && shift && exec "$@"' sh "$tmp/engine" "$@" \
		"$BENCH_ENGINE" -o s -j -s "${engine_mb}M" -r "$rounds" "$engine_device" \
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

engine_throttled()
{
	has_disk || { note engine-266 "$no_disk"; return; }
	loop=$(losetup -f --show --direct-io=on "$cache") || die "losetup failed"
	undo detach "$loop"
	slow_group "$loop" 266000000 bps || { note engine-266 "$no_group"; return; }
	engine_on "$loop" "$tmp/in-group"
	engine_samples engine-266 ref
}

bar_engine()
{
	row engine MB/s more 0.98 "engine alone, 4 KiB random writes / fio sequential 1 MiB QD8"
	row engine-own MB/s more - "the same / 1 MiB QD8 by the same program"
	row engine-266 MB/s more 0.99 "the same / fio on a device of 266 MB/s"
	engine_on "$cache"
	engine_samples engine ref
	engine_samples engine-own raw
	engine_throttled
}
