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

bench_end()
{
	status=$?
	trap '' EXIT INT TERM HUP
	set +e
	kill_client
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
	for program in null_fuse bench_engine; do
		[ -x "$build/tests/bench/$program" ] ||
			make -C "$build" -s "tests/bench/$program" >/dev/null ||
			die "$program cannot be built"
	done
	LCFS=$build/lcfs/lcfs
	MKFS=$build/lcfs/tools/mkfs.lcfs
	NULL_FUSE=$build/tests/bench/null_fuse
	BENCH_ENGINE=$build/tests/bench/bench_engine
}

# Amounts, by $size: ms a sample; MiB of cache, image, engine's round, dirty segments.
set_sizes()
{
	case $size in
	full) set -- 11 2000 6400 1024 1024 4096 ;;
	short) set -- 5 1000 6400 1024 512 4096 ;;
	tiny) set -- 1 200 256 64 64 32 ;;
	esac
	pairs=${pairs:-$1}
	ms=$2
	cache_mb=$3
	image_mb=$4
	engine_mb=$5
	dirty_mb=$6
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
	[ -z "$client" ] || kill "$client" 2>/dev/null || :
	client=
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

# Processor time of a process and all its threads, in ms.
cpu_ms()
{
	awk -v ticks="$ticks" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000 / ticks }' \
		"/proc/$1/stat"
}

is_mounted()
{
	findmnt -n "$1" >/dev/null
}

is_mounted_or_gone()
{
	is_mounted "$2" || is_gone "$1"
}

# end_server PID MNT
end_server()
{
	! is_mounted "$2" || umount "$2" 2>/dev/null || umount -l "$2"
	eventually 20 is_gone "$1" || kill -9 "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}

# serve MNT COMMAND...: a server in the foreground of a process behind this one; $server.
serve()
{
	where=$1
	shift
	"$@" >"$tmp/log" 2>&1 </dev/null &
	server=$!
	undo end_server "$server" "$where"
	if ! eventually 60 is_mounted_or_gone "$server" "$where" || is_gone "$server" ||
		! eventually 20 test -e "$where/image"; then
		cat "$tmp/log" >&2
		die "$where: is not served"
	fi
}

# ---------------------------------------------------------------- lcfs and the null filesystem

# fresh_back DIR [MIB]: an image of holes, and nothing that speaks of an earlier cache.
fresh_back()
{
	rm -rf --one-file-system "$1/.lcfs" "$1/image"
	truncate -s "${2:-$image_mb}M" "$1/image"
}

format_cache()
{
	"$MKFS" -q --force "$cache" || die "mkfs.lcfs failed"
}

# fresh_lcfs [MIB]: on an empty cache, with an image of so many MiB; migration waits. $lcfs_pid
fresh_lcfs()
{
	fresh_back "$tmp/back" "${1:-}"
	format_cache
	start_lcfs "$tmp/back"
}

# start_lcfs BACK [COMMAND...]: COMMAND is put before lcfs.
start_lcfs()
{
	lcfs_back=$1
	shift
	serve "$tmp/mnt" "$@" "$LCFS" -f -o "cache=$cache,allow_migrate=0" "$lcfs_back" "$tmp/mnt"
	lcfs_pid=$server
	# The first write binds the image: not what is measured.
	dd if=/dev/zero of="$tmp/mnt/image" bs=4k count=1 oflag=direct conv=notrunc,fsync \
		2>/dev/null
}

start_null()
{
	serve "$tmp/null" "$NULL_FUSE" "$tmp/null-back" "$tmp/null"
	null_pid=$server
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

# load NAME: words for fio. Direct, on one file, random without a map of what was done.
load()
{
	common="--bs=4k --rw=randwrite --norandommap --randrepeat=0 --direct=1"
	case $1 in
	qd1) echo "$common --ioengine=psync" ;;
	qd32) echo "$common --ioengine=libaio --iodepth=32" ;;
	fdatasync) echo "$common --ioengine=psync --fdatasync=1" ;;
	raw-fdatasync) echo "--bs=8k --rw=write --direct=1 --ioengine=psync --fdatasync=1" ;;
	*) die "no load is called $1" ;;
	esac
}

# Of fio's terse output: IOPS of writes, and CPU us a write.
terse()
{
	awk -F ';' '
	/^3;/ && $5 == 0 && $49 > 0 {
		printf "%s %.3f\n", $49, ($88 + $89) / 100 * 1e6 / $49
		found = 1
	}
	END { exit !found }' "$1"
}

# measure PID FILE WORDS...: fio on FILE; $iops, $us, $cpu_server (of PID, or -), $cpu_client.
measure()
{
	served_by=$1
	file=$2
	shift 2
	before=0
	[ "$served_by" = - ] || before=$(cpu_ms "$served_by")
	[ -n "${fio_amount:-}" ] || set -- --time_based --runtime="${ms}ms" "$@"
	# shellcheck disable=SC2086
	client timeout --foreground 300 ${in_group:-} fio --name=bench --filename="$file" \
		--allow_file_create=0 --size="${fio_size:-${image_mb}m}" --minimal \
		--terse-version=3 ${fio_amount:-} "$@" >"$tmp/fio.out" 2>"$tmp/fio.err" ||
		fio_failed "$*"
	terse "$tmp/fio.out" >"$tmp/fio.result" || fio_failed "no result: $*"
	read -r iops cpu_client <"$tmp/fio.result"
	us=$(calc "1e6 / $iops")
	cpu_server=-
	[ "$served_by" = - ] && return
	used=$(calc "($(cpu_ms "$served_by") - $before) * 1000")
	cpu_server=$(calc "$used / ($iops * $(fio_seconds))")
}

fio_failed()
{
	cat "$tmp/fio.err" >&2
	die "fio failed: $*"
}

fio_seconds()
{
	awk -F ';' '/^3;/ { print $50 / 1000 }' "$tmp/fio.out"
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

# in_turn PAIR COMMAND1 COMMAND2 [COMMAND3]: which comes first changes from pair to pair.
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
	exit $status
}
