# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# What the bars share: places, ends, processes, fio, samples. Sourced by scripts/bench.
#
# A bar declares rows and adds samples to them, pair by pair:
#
#	row NAME UNIT BETTER NEEDS TITLE	BETTER: more, less; NEEDS: the ratio to reach, or -
#	sample NAME PAIR SIDE VALUE DAEMON CLIENT	CPU us an operation, or -
#
# SIDE lcfs is held against SIDE ref; other sides are parts of the reference. The ratio is lcfs/ref.
# What cannot be measured here: note NAME REASON, and no samples.

die()
{
	echo "bench: $*" >&2
	exit 2
}

skip()
{
	echo "bench: skipped: $*"
	exit 77
}

progress()
{
	[ ! -t 2 ] || printf '\r\033[K%s ' "$*" >&2
}

# ---------------------------------------------------------------- ends

# What is to be undone is a file a step in $tmp/undo, so that a subshell may add some.
nr_undo=0

# undo COMMAND...: at the end, the last one first. Words without blanks or quotes.
undo()
{
	nr_undo=$((nr_undo + 1))
	echo "$*" >"$tmp/undo/$nr_undo"
}

# leave_to N: undoes all but the first N.
leave_to()
{
	while [ "$nr_undo" -gt "$1" ]; do
		step=$(cat "$tmp/undo/$nr_undo")
		rm -f "$tmp/undo/$nr_undo"
		nr_undo=$((nr_undo - 1))
		eval "$step" </dev/null || echo "bench: could not undo: $step" >&2
	done
}

# A bar is another process, which may have ended anywhere.
count_undo()
{
	nr_undo=$(find "$tmp/undo" -type f | wc -l)
}

bench_end()
{
	status=$?
	trap '' EXIT INT TERM HUP
	set +e
	kill_client
	count_undo
	leave_to 0
	exit $status
}

remove_tmp()
{
	findmnt -rno TARGET | grep -F "$tmp/" | sort -r | while read -r target; do
		umount "$target" 2>/dev/null || umount -l "$target"
	done
	rm -rf --one-file-system "$tmp"
}

# eventually SECONDS COMMAND...
eventually()
{
	until_time=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$until_time" ] || return 1
		sleep 0.02
	done
}

# ---------------------------------------------------------------- start

# is_in_memory PATH: where it is, or would be made.
is_in_memory()
{
	at=$1
	while [ ! -e "$at" ]; do
		at=${at%/*}
		at=${at:-/}
	done
	case $(findmnt -no FSTYPE -T "$at") in
	tmpfs | ramfs) return 0 ;;
	esac
	return 1
}

require()
{
	command -v "$1" >/dev/null || skip "$1 is not installed: install the package $2"
}

find_build()
{
	[ -n "$build" ] || { [ -e lcfs/lcfs ] && build=.; } || build=$top_srcdir
	build=$(cd "$build" && pwd)
	[ -x "$build/lcfs/lcfs" ] || die "$build: lcfs is not built there; make, or give --build"
	for program in null_fuse loop_mt bench_engine; do
		[ -x "$build/tests/bench/$program" ] ||
			make -C "$build" -s "tests/bench/$program" >/dev/null ||
			die "$program cannot be built"
	done
	LCFS=$build/lcfs/lcfs
	MKFS=$build/lcfs/tools/mkfs.lcfs
	NULL_FUSE=$build/tests/bench/null_fuse
	LOOP_MT=$build/tests/bench/loop_mt
	BENCH_ENGINE=$build/tests/bench/bench_engine
}

# Amounts, by $size: pairs of bars and of the other rows; ms a sample; MiB of cache, image, engine's
# round, dirty segments, a cache that is too small.
set_sizes()
{
	case $size in
	long) set -- 11 5 2000 6400 1024 1024 4096 48 ;;
	short) set -- 5 3 1000 6400 1024 512 4096 32 ;;
	tiny) set -- 1 1 100 256 64 64 32 24 ;;
	esac
	few_pairs=${pairs:-$2}
	pairs=${pairs:-$1}
	ms=$3
	cache_mb=$4
	image_mb=$5
	engine_mb=$6
	dirty_mb=$7
	small_mb=$8
}

is_long()
{
	[ "$size" = long ]
}

is_tiny()
{
	[ "$size" = tiny ]
}

# The file is written once, so that no allocation disturbs afterwards.
make_cache_file()
{
	cache=$tmp/cache
	progress "writing the cache file"
	fallocate -l "${cache_mb}M" "$cache" 2>/dev/null || die "$dir has not ${cache_mb} MiB free"
	dd if=/dev/zero of="$cache" bs=1M count="$cache_mb" oflag=direct conv=notrunc,fdatasync \
		2>/dev/null || die "$dir takes no direct writes: give --dir on a real disk"
}

bench_setup()
{
	[ "$(id -u)" = 0 ] || skip "only root can do this"
	[ -c /dev/fuse ] || skip "there is no /dev/fuse"
	require fio fio
	require findmnt util-linux
	find_build
	set_sizes
	tmp=$(mktemp -d "$dir/lcfs-bench.XXXXXX")
	mkdir "$tmp/undo" "$tmp/back" "$tmp/mnt" "$tmp/null-back" "$tmp/null"
	client=
	bars_failed=0
	trap bench_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	undo remove_tmp
	cache=$cache_device
	[ -n "$cache" ] || make_cache_file
	truncate -s "${image_mb}M" "$tmp/null-back/image"
	ticks=$(getconf CLK_TCK)
	: >"$tmp/samples"
	load_at_start=$(cut -d' ' -f1 /proc/loadavg)
}

# ---------------------------------------------------------------- processes

is_gone()
{
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

kill_client()
{
	if [ -n "$client" ]; then
		kill "$client" 2>/dev/null || :
		wait "$client" 2>/dev/null || :
	fi
	client=
}

# What the bar knows how to undo may be known to nobody else.
end_bar()
{
	status=$?
	trap '' EXIT INT TERM HUP
	set +e
	kill_client
	leave_to 1
	exit $status
}

run_bar()
{
	client=
	trap end_bar EXIT
	trap 'exit 143' TERM HUP
	# shellcheck source=/dev/null
	. "$bench_src/bar-$1.sh"
	progress "$1"
	"bar_$1"
}

# bar NAME: in a process of its own, so that one that fails is not the end of the others.
bar()
{
	bar_from=$(date +%s)
	run_bar "$1" </dev/null &
	client=$!
	bar_status=0
	wait "$client" || bar_status=$?
	client=
	count_undo
	leave_to 1
	printf 'took\t%s\t%s\n' "$1" $(($(date +%s) - bar_from)) >>"$tmp/samples"
	[ $bar_status = 0 ] && return
	echo "bench: $1 ended with status $bar_status" >&2
	bars_failed=$((bars_failed + 1))
}

# client COMMAND...: waits for it so that a signal ends the wait, and it.
client()
{
	"$@" </dev/null &
	client=$!
	client_status=0
	wait "$client" || client_status=$?
	client=
	return $client_status
}

# cpu_ms PID...: processor time of processes and all their threads, in ms.
cpu_ms()
{
	for process; do
		cat "/proc/$process/stat"
	done 2>/dev/null |
		awk -v ticks="$ticks" '{ sub(/.*\) /, ""); sum += $12 + $13 }
			END { print sum * 1000 / ticks }'
}

is_mounted()
{
	findmnt -n "$1" >/dev/null
}

is_mounted_or_gone()
{
	is_mounted "$2" || is_gone "$1"
}

has_images()
{
	for file in "$1"/image*; do
		[ ! -e "$file" ] || return 0
	done
	return 1
}

# end_server PID MNT
end_server()
{
	! is_mounted "$2" || umount "$2" 2>/dev/null || umount -l "$2"
	eventually 20 is_gone "$1" || kill -9 "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}

# try_serve MNT COMMAND...: a server in the foreground of a process behind this one; $server. MNT is
# a directory in which an `image` is to appear, or a file. 1: it does not serve, see $tmp/log.
try_serve()
{
	where=$1
	shift
	"$@" >"$tmp/log" 2>&1 </dev/null &
	server=$!
	undo end_server "$server" "$where"
	eventually 60 is_mounted_or_gone "$server" "$where" && ! is_gone "$server" || return 1
	[ ! -d "$where" ] || eventually 20 has_images "$where"
}

serve()
{
	try_serve "$@" || {
		cat "$tmp/log" >&2
		die "$1: is not served"
	}
}

# ---------------------------------------------------------------- lcfs and the null filesystem

# fresh_back DIR [MIB]: an image of holes, and nothing that speaks of an earlier cache.
fresh_back()
{
	rm -rf --one-file-system "$1"/.lcfs "$1"/image*
	truncate -s "${2:-$image_mb}M" "$1/image"
}

format_cache()
{
	"$MKFS" -q --force "$cache" || die "mkfs.lcfs failed"
}

# with_small_cache MIB: from now on the cache is a file of that size, until this is undone.
with_small_cache()
{
	undo "cache=$cache"
	cache=$tmp/small-cache
	fallocate -l "$1M" "$cache" || die "$dir has not $1 MiB free"
	dd if=/dev/zero of="$cache" bs=1M count="$1" oflag=direct conv=notrunc,fdatasync 2>/dev/null
}

# kill_lcfs: what it has cached is of no use to anybody; it does not even migrate it.
kill_lcfs()
{
	kill -9 "$lcfs_pid"
	eventually 20 is_gone "$lcfs_pid" || die "the daemon survives kill -9"
}

# fresh_lcfs [MIB]: on an empty cache, with an image of so many MiB; migration waits. $lcfs_pid
fresh_lcfs()
{
	fresh_back "$tmp/back" "${1:-}"
	format_cache
	start_lcfs "$tmp/back"
}

# fresh_images NR [MIB]: the same with image0, image1 and so on.
fresh_images()
{
	rm -rf --one-file-system "$tmp"/back/.lcfs "$tmp"/back/image*
	for i in $(seq 0 $(($1 - 1))); do
		truncate -s "${2:-$((image_mb / 16))}M" "$tmp/back/image$i"
	done
	format_cache
	start_lcfs "$tmp/back"
}

# start_lcfs BACK [COMMAND...]: COMMAND is put before lcfs. $lcfs_options: besides those of all.
start_lcfs()
{
	lcfs_back=$1
	shift
	serve "$tmp/mnt" "$@" "$LCFS" -f \
		-o "config=none,cache=$cache,${lcfs_options:-allow_migrate=0}$lcfs_transport" \
		"$lcfs_back" "$tmp/mnt"
	lcfs_pid=$server
	# The first write binds the image: not what is measured.
	for bound in "$tmp"/mnt/image*; do
		dd if=/dev/zero of="$bound" bs=4k count=1 oflag=direct conv=notrunc,fsync \
			2>>"$tmp/log" && continue
		cat "$tmp/log" >&2
		die "$bound: cannot be written"
	done
}

# use_transport NAME: of lcfs and of the null filesystem, from now on. Empty: what is the default.
use_transport()
{
	lcfs_transport=${1:+,transport=$1}
	case $1 in
	'' | dev) null_transport= ;;
	uring) null_transport=-u ;;
	*) die "no transport is called $1" ;;
	esac
}

start_null()
{
	# shellcheck disable=SC2086 # no option, or one
	serve "$tmp/null" "$NULL_FUSE" $null_transport "$tmp/null-back" "$tmp/null"
	null_pid=$server
}

# The null filesystem on libfuse's own loop: the file $tmp/loop.
start_loop_mt()
{
	: >"$tmp/loop"
	serve "$tmp/loop" "$LOOP_MT" -n "${image_mb}M" "$tmp/loop"
	loop_pid=$server
}

knob()
{
	timeout 20 cat "$tmp/mnt/.lcctl/caches/1/$1"
}

set_knob()
{
	echo "$2" >"$tmp/mnt/.lcctl/caches/1/$1" || die "$1 does not take $2"
}

is_clean()
{
	[ "$(knob nr_dirty_caches)" = 0 ]
}

drain()
{
	set_knob allow_migrate 1
	set_knob force_migrate 1
	eventually 300 is_clean || die "the cache does not drain"
	set_knob force_migrate 0
	set_knob allow_migrate 0
}

# ---------------------------------------------------------------- fio

# load NAME: words for fio. Direct, random without a map of what was done. ENGINE-DEPTHxJOBS is
# 4 KiB writes at random places.
load()
{
	common="--direct=1 --norandommap --randrepeat=0"
	random="$common --bs=4k --rw=randwrite"
	synced="$random --ioengine=psync --fdatasync=1"
	case $1 in
	qd1) load psync-1x1 ;;
	qd32) load libaio-32x1 ;;
	qd32x4) load libaio-32x4 ;;
	fdatasync) echo "$synced" ;;
	fdatasync-x*) echo "$synced --numjobs=${1#*-x}" ;;
	raw-fdatasync) echo "--bs=8k --rw=write --direct=1 --ioengine=psync --fdatasync=1" ;;
	seq-write) echo "--direct=1 --bs=1m --rw=write --ioengine=libaio --iodepth=4" ;;
	seq-read) echo "--direct=1 --bs=1m --rw=read --ioengine=libaio --iodepth=4" ;;
	seq-read-buffered) echo "--direct=0 --bs=1m --rw=read --ioengine=psync" ;;
	read-qd1) echo "$common --bs=4k --rw=randread --ioengine=psync" ;;
	read-qd32) echo "$common --bs=4k --rw=randread --ioengine=libaio --iodepth=32" ;;
	mixed) echo "$common --bs=4k --rw=randrw --rwmixread=70 --ioengine=libaio --iodepth=32" ;;
	*-*x*)
		depth=${1#*-}
		echo "$random --ioengine=${1%%-*} --iodepth=${depth%x*} --numjobs=${depth#*x}"
		;;
	*) die "no load is called $1" ;;
	esac
}

# terse FILE JOBS: of fio's terse output: operations a second, seconds, CPU us an operation, us that
# 99 % of the reads (of the writes, where none was read) took at most.
terse()
{
	awk -F ';' -v jobs="$2" '
	function p99(first,    i) {
		for (i = first; i < first + 20; i++)
			if ($i ~ /^99\.0+%=/)
				return substr($i, index($i, "=") + 1)
		return "-"
	}
	/^3;/ && $5 == 0 && $8 + $49 > 0 {
		ops = $8 + $49
		printf "%s %s %.3f %s\n", ops, ($9 > $50 ? $9 : $50) / 1000,
			($88 + $89) / 100 * jobs * 1e6 / ops, p99($8 > 0 ? 18 : 59)
		found = 1
	}
	END { exit !found }' "$1"
}

# numjobs WORDS...: how many jobs they tell fio to run.
numjobs()
{
	of_jobs=1
	for word; do
		case $word in
		--numjobs=*) of_jobs=${word#*=} ;;
		esac
	done
	echo "$of_jobs"
}

# measure PIDS FILE WORDS...: fio on FILE, or, where that is a directory, each job on its own image
# in it; $iops, $us, $seconds, $p99, $cpu_server (of PIDS, or -), $cpu_client.
measure()
{
	served_by=$1
	file=--filename=$2
	[ ! -d "$2" ] || file="--directory=$2 --filename_format=image\$jobnum"
	shift 2
	jobs=$(numjobs "$@")
	[ -n "${fio_amount:-}" ] || set -- --time_based --runtime="${ms}ms" "$@"
	before=0
	# shellcheck disable=SC2086
	[ "$served_by" = - ] || before=$(cpu_ms $served_by)
	# shellcheck disable=SC2086
	client timeout --foreground 300 ${in_group:-} fio --name=bench $file \
		--allow_file_create=0 --size="${fio_size:-${image_mb}m}" --minimal \
		--group_reporting --terse-version=3 ${fio_amount:-} "$@" >"$tmp/fio.out" \
		2>"$tmp/fio.err" || fio_failed "$*"
	terse "$tmp/fio.out" "$jobs" >"$tmp/fio.result" || fio_failed "no result: $*"
	read -r iops seconds cpu_client p99 <"$tmp/fio.result"
	us=$(calc "1e6 / $iops")
	cpu_server=-
	[ "$served_by" != - ] || return 0
	# shellcheck disable=SC2086
	used=$(calc "($(cpu_ms $served_by) - $before) * 1000")
	cpu_server=$(calc "$used / ($iops * $seconds)")
}

fio_failed()
{
	cat "$tmp/fio.err" >&2
	die "fio failed: $*"
}

calc()
{
	awk "BEGIN { printf \"%.6g\", $1 }"
}

# ---------------------------------------------------------------- samples

row()
{
	printf 'row\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >>"$tmp/samples"
}

sample()
{
	printf 'sample\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:--}" "${6:--}" \
		>>"$tmp/samples"
}

# note ROW TEXT: is shown below the table.
note()
{
	printf 'note\t%s\t%s\n' "$1" "$2" >>"$tmp/samples"
}

# in_turn PAIR COMMAND...: which comes first changes from pair to pair.
in_turn()
{
	turn=$1
	shift
	n=0
	while [ $n -lt $# ]; do
		eval "command=\${$(((turn + n) % $# + 1))}"
		$command "$turn"
		n=$((n + 1))
	done
}

# pairwise NAME NR COMMAND...: so many rounds of in_turn.
pairwise()
{
	pairwise_name=$1
	pairwise_nr=$2
	shift 2
	pair=0
	while [ $pair -lt "$pairwise_nr" ]; do
		progress "$pairwise_name $pair"
		in_turn $pair "$@"
		pair=$((pair + 1))
	done
}

machine()
{
	model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
	where=$(findmnt -no FSTYPE -T "$tmp")
	printf 'machine\t%s x %s, %s GiB, Linux %s, cache: %s, fio %s, load %s to %s\n' \
		"$(nproc)" "${model:-unknown processor}" "$memory" "$(uname -r | cut -d- -f1)" \
		"${cache_device:+a block device}${cache_device:-a file on $where}" \
		"$(fio --version | sed 's/fio-//')" "$load_at_start" "$(cut -d' ' -f1 /proc/loadavg)"
}

bench_report()
{
	progress ''
	machine >>"$tmp/samples"
	status=0
	awk -v json="$json" -v size="$size" -f "$bench_src/report.awk" "$tmp/samples" || status=$?
	[ "$bars_failed" = 0 ] || status=2
	exit $status
}
