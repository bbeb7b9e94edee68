# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the tests of whole programs share: sourced by tests/t-*.sh, first thing.
#
# Each test gets a directory of its own in $tmp, and runs under a limit of time. What is made is
# taken away again in the opposite order, however the test ends: cleanup_fn is called right where a
# thing is made.

: "${top_srcdir:?is set by make check}" "${top_builddir:?is set by make check}"

# The whole test again under a limit; TERM makes it clean up.
test_limit=${test_limit:-90}
if [ "${test_is_limited:-}" != "$$" ] && [ "${test_is_limited:-}" != yes ]; then
	test_is_limited=yes
	export test_is_limited
	exec timeout -k 30 "$((test_limit * ${CK_TIMEOUT_MULTIPLIER:-1}))" "$0" "$@"
fi

LCFS=$top_builddir/lcfs/lcfs
lcfs_exe=$(readlink -f "$LCFS")
MKFS=$top_builddir/lcfs/tools/mkfs.lcfs
# shellcheck disable=SC2034
VERIFIER=$top_builddir/tests/verifier

. "$top_srcdir/tests/child.sh"

# ---------------------------------------------------------------- ends

cleanups=

# cleanup_fn COMMAND...: run at the end, the last one first. Words without blanks or quotes.
cleanup_fn()
{
	cleanups="$*
$cleanups"
}

run_cleanups()
{
	status=$?
	trap '' EXIT INT TERM HUP
	set +e
	# The loop reads from the list: nothing in it may read standard input.
	echo "$cleanups" | while read -r line; do
		[ -z "$line" ] || eval "$line" </dev/null
	done
	exit $status
}
trap run_cleanups EXIT
trap 'exit 130' INT
trap 'echo "FAIL: ended by a signal, or not within $test_limit s"; exit 1' TERM HUP

skip()
{
	echo "skipped: $*"
	exit 77
}

fail()
{
	echo "FAIL: $*"
	if [ -s "$tmp/log" ]; then
		echo "what the daemon said last:"
		tail -n 40 "$tmp/log"
	fi
	exit 1
}

# ---------------------------------------------------------------- requirements

# requires COMMAND...
requires()
{
	for command; do
		command -v "$command" >/dev/null || skip "$command is not installed"
	done
}

requires_root()
{
	[ "$(id -u)" = 0 ] || skip "only root can do this"
}

requires_loop()
{
	requires_root
	requires losetup
	losetup -f >/dev/null 2>&1 || skip "there are no loop devices"
}

# Mounts made by root.
requires_fuse()
{
	requires_root
	requires findmnt
	[ -c /dev/fuse ] || skip "there is no /dev/fuse"
}

# requires_xattrs DIRECTORY: user.*, as marks on backing files are.
requires_xattrs()
{
	: >"$1/.try"
	requires setfattr
	setfattr -n user.try -v 1 "$1/.try" 2>/dev/null || skip "no extended attributes here"
	rm "$1/.try"
}

# requires_fs NAME: the kernel has the filesystem.
requires_fs()
{
	requires "mkfs.$1"
	grep -qw "$1" /proc/filesystems || modprobe -q "$1" 2>/dev/null || true
	grep -qw "$1" /proc/filesystems || skip "the kernel has no $1"
}

# ---------------------------------------------------------------- places

# Not /tmp: it may be in memory, where direct I/O means nothing.
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/lcfs-t.XXXXXX")
cleanup_fn remove_tmp

# What a test mounted without wanting to goes too. Never into what is still mounted.
remove_tmp()
{
	findmnt -rno TARGET | grep -F "$tmp/" | while read -r target; do
		echo "left: a mount on $target"
		end_mount "$target"
	done
	rm -rf --one-file-system "$tmp"
}

# ---------------------------------------------------------------- expectations

# run COMMAND...: its status goes to $status, what it says to $tmp/out and $tmp/err.
run()
{
	status=0
	timeout 60 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
}

# refused STATUS TEXT COMMAND...: ends with STATUS and one line on standard error that has TEXT.
refused()
{
	want=$1
	text=$2
	shift 2
	run "$@"
	if [ "$status" != "$want" ] || ! grep -qF -e "$text" "$tmp/err"; then
		echo "FAIL: exit status $status, not $want with '$text': $*"
		cat "$tmp/err"
		exit 1
	fi
	lines=$(grep -vc -e '^Try ' -e ': warning: ' "$tmp/err")
	[ "$lines" = 1 ] || { cat "$tmp/err"; fail "$lines lines, not 1: $*"; }
}

# works COMMAND...
works()
{
	run "$@"
	[ "$status" = 0 ] && return
	cat "$tmp/out" "$tmp/err"
	fail "exit status $status: $*"
}

# eventually SECONDS COMMAND...: polls until it succeeds.
eventually()
{
	eventually_end=$(($(date +%s) + $1 * ${CK_TIMEOUT_MULTIPLIER:-1}))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$eventually_end" ] || return 1
		sleep 0.05
	done
}

same()
{
	cmp "$1" "$2" || fail "$1 and $2 differ"
}

# ---------------------------------------------------------------- processes

# A process that this test started; it may have ended.
end_process()
{
	! is_child "$1" || kill "$1"
}

# ---------------------------------------------------------------- lcfs

is_gone()
{
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# The lcfs processes that have the mount point $1 in their command line.
daemon_of()
{
	for process in /proc/[0-9]*; do
		[ "$(readlink "$process/exe" 2>/dev/null)" = "$lcfs_exe" ] || continue
		! grep -zqxF -e "$1" "$process/cmdline" 2>/dev/null || echo "${process#/proc/}"
	done
}

is_mounted()
{
	findmnt -n "$1" >/dev/null
}

# What is left of a mount goes away, with its daemon; it hangs nowhere.
end_mount()
{
	pids=$(daemon_of "$1")
	! is_mounted "$1" || umount "$1" 2>/dev/null || umount -l "$1"
	for pid in $pids; do
		eventually 10 is_gone "$pid" && continue
		echo "the daemon of $1 (pid $pid) did not end: killed"
		kill -9 "$pid"
		eventually 10 is_gone "$pid"
	done
}

# new_cache FILE [OPTION...]: 64 MiB unless it says --size.
new_cache()
{
	new=$1
	shift
	case "$*" in
	*--size*) ;;
	*) set -- --size=64M "$@" ;;
	esac
	works "$MKFS" -q "$@" "$new"
	cleanup_fn remove_pool "$new"
}

# remove_pool CACHE: the RAM buffers of a killed daemon stay for the next mount, which there is not.
remove_pool()
{
	uuid=$("$top_builddir/lcfs/tools/lcfs-id" "$1" 2>/dev/null | sed -n 's/^ID_FS_UUID=//p')
	[ -z "$uuid" ] || rm -f "/run/lcfs/$(echo "$uuid" | tr -d -)".pool*
}

# mount_lcfs CACHE DIR MNT [OPTION,...]: as a user does it.
mount_lcfs()
{
	cleanup_fn end_mount "$3"
	works "$LCFS" -o "cache=$1${4:+,$4}" "$2" "$3"
	is_mounted "$3" || fail "$3: lcfs says it is mounted and it is not"
}

# mount_with_log CACHE DIR MNT [OPTION,...]: in the foreground of a process behind this one, so
# that fail() can show what the daemon says.
mount_with_log()
{
	cleanup_fn end_mount "$3"
	"$LCFS" -f -o "cache=$1${4:+,$4}" "$2" "$3" >>"$tmp/log" 2>&1 </dev/null &
	logged=$!
	eventually 60 is_mounted "$3" || fail "$3: is not mounted"
	eventually 20 timeout 20 test -e "$3/.lcctl/version" || fail "$3: does not serve"
}

# umount_lcfs MNT: and wait for the daemon.
umount_lcfs()
{
	pids=$(daemon_of "$1")
	works umount "$1"
	for pid in $pids; do
		eventually 20 is_gone "$pid" || fail "the daemon of $1 (pid $pid) does not end"
		[ "$pid" = "${logged:-}" ] || continue
		ended=0
		wait "$pid" || ended=$?
		[ $ended = 0 ] || fail "the daemon of $1 ended with status $ended"
	done
}

# kill_lcfs MNT: kill -9, and take the dead mount away.
kill_lcfs()
{
	pids=$(daemon_of "$1")
	[ -n "$pids" ] || fail "$1 has no daemon to be killed"
	for pid in $pids; do
		kill -9 "$pid"
		eventually 10 is_gone "$pid" || fail "pid $pid survives kill -9"
	done
	works umount -l "$1"
}

# knob MNT NAME: the value.
knob()
{
	timeout 20 cat "$1/.lcctl/caches/1/$2"
}

set_knob()
{
	echo "$3" >"$1/.lcctl/caches/1/$2" || fail "$2: $3 is not taken"
}

is_clean()
{
	[ "$(knob "$1" nr_dirty_caches)" = 0 ]
}

# drain MNT: until there is no dirty block.
drain()
{
	allowed=$(knob "$1" allow_migrate)
	set_knob "$1" allow_migrate 1
	set_knob "$1" force_migrate 1
	eventually 60 is_clean "$1" ||
		fail "$1: $(knob "$1" nr_dirty_caches) dirty blocks are left"
	set_knob "$1" force_migrate 0
	set_knob "$1" allow_migrate "$allowed"
}

# standard_mount [OPTION,...]: $dir on $mnt, cached in $cache, with a log.
standard_mount()
{
	dir=$tmp/dir
	mnt=$tmp/mnt
	cache=$tmp/cache
	mkdir -p "$dir" "$mnt"
	[ -e "$cache" ] || new_cache "$cache"
	mount_with_log "$cache" "$dir" "$mnt" "${1:-}"
}

# ---------------------------------------------------------------- devices

# detach DEVICE: if it is still a file of this test that is behind it. The number of a device that
# has been detached is soon another test's. Whoever looks at all block devices at that moment keeps
# it a little longer, and the file in use with it.
detach()
{
	behind=$(losetup -nO BACK-FILE "$1" 2>/dev/null)
	case $behind in
	"$tmp"/*) losetup -d "$1" ;;
	*) return 0 ;;
	esac
	eventually 30 lets_go "$1" "$behind" || fail "$1 does not let go of $behind"
}

# lets_go DEVICE FILE
lets_go()
{
	[ "$(losetup -nO BACK-FILE "$1" 2>/dev/null)" != "$2" ]
}

# attach FILE [OPTION...]: the loop device goes to $loop.
attach()
{
	file=$1
	shift
	loop=$(timeout 20 losetup -f --show "$@" "$file") || fail "losetup $* $file"
	cleanup_fn detach "$loop"
}

unmount_quietly()
{
	! is_mounted "$1" || umount "$1" || umount -l "$1"
}

# mount_fs DEVICE MNT [OPTION...]
mount_fs()
{
	mkdir -p "$2"
	cleanup_fn unmount_quietly "$2"
	device=$1
	where=$2
	shift 2
	works mount "$@" "$device" "$where"
}

# random_file FILE BYTES SEED: the same for the same seed, on any machine, and not compressible.
random_file()
{
	openssl enc -aes-128-ctr -nosalt -K "$(printf %032x "$3")" -iv 0 </dev/zero 2>/dev/null |
		head -c "$2" >"$1"
}

# own_namespace "$0" [OPTION...]: the test again in a mount namespace of its own, where it may mount
# over what others use, and sees no mounts of theirs. Options of unshare, for more of its own.
own_namespace()
{
	requires_root
	requires unshare
	if [ "${test_in_namespace:-}" != yes ]; then
		myself=$1
		shift
		set -- -m --propagation private "$@"
		unshare "$@" true 2>/dev/null || skip "no namespaces: unshare $*"
		test_in_namespace=yes
		export test_in_namespace
		status=0
		unshare "$@" "$myself" || status=$?
		exit $status
	fi
	let_go_of_foreign_mounts
}

# let_go_of_foreign_mounts: in a mount namespace of one's own. Its copies of other tests' mounts
# would keep their daemons alive.
let_go_of_foreign_mounts()
{
	awk '$3 == "fuse.lcfs" { print $2 }' /proc/self/mounts | while read -r point; do
		umount -l "$point" || :
	done
}
