# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the FUSE layer share: to be sourced. Gives $tmp, $back (the backing directory)
# and $mnt, and takes all away at the end, however that comes.

bin=${top_builddir:-.}/tests
. "${top_srcdir:-.}/tests/child.sh"
. "${top_srcdir:-.}/tests/uring_lib.sh"

skip()
{
	echo "skip: $*"
	exit 77
}

fail()
{
	echo "FAIL: $*"
	exit 1
}

[ -e /dev/fuse ] || skip "no /dev/fuse"
[ "$(id -u)" = 0 ] || skip "not root"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/lcfs-fuse.XXXXXX")
back=$tmp/back
mnt=$tmp/mnt
server=

at_end()
{
	status=$?
	trap - EXIT
	set +e
	cd /
	for dev in $loops; do
		losetup -d "$dev"
	done
	for m in $mounts; do
		umount -l "$m" 2>/dev/null
	done
	restore_uring
	[ -z "$server" ] || ! is_child "$server" || kill "$server"
	if [ "$status" != 0 ] && [ "$status" != 77 ] && [ -s "$tmp/log" ]; then
		echo "the server said:"
		cat "$tmp/log"
	fi
	rm -rf --one-file-system "$tmp"
	exit "$status"
}
mounts=
loops=
trap at_end EXIT
trap 'exit 1' INT TERM HUP

mkdir "$back" "$mnt"
chmod 755 "$tmp"

# fs_start [-o WORDS] [DIR MNT]: serves $back at $mnt.
fs_start()
{
	words=
	if [ "${1:-}" = -o ]; then
		words="-o $2"
		shift 2
	fi
	fs_mnt=${2:-$mnt}
	# shellcheck disable=SC2086
	timeout 60 "$bin/fusetest" $words -p "$tmp/pid" "${1:-$back}" "$fs_mnt" 2>"$tmp/log" ||
		fail "the mount did not start: $(cat "$tmp/log")"
	server=$(cat "$tmp/pid")
	mounts="$fs_mnt $mounts"
}

# Whether the process runs: a zombie waits for whoever reaps orphans here, and does not.
is_running()
{
	grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null
}

# Someone who has cloned the mount namespace meanwhile keeps the mount alive in his.
wait_for_end()
{
	n=0
	while is_running "$server"; do
		n=$((n + 1))
		[ $n -lt 6000 ] || fail "the server does not end"
		sleep 0.01
	done
	server=
}

# fs_stop: unmounts, and has a look at how the server ended.
fs_stop()
{
	n=0
	# Asynchronous releases may keep it busy for a moment.
	until timeout 20 umount "$fs_mnt" 2>/dev/null; do
		n=$((n + 1))
		[ $n -lt 100 ] || fail "cannot unmount: $(umount "$fs_mnt" 2>&1)"
		sleep 0.05
	done
	wait_for_end
	[ "$(cat "$tmp/log")" = "fusetest: ended" ] || fail "the server did not end well"
}

need()
{
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "no $tool"
	done
}
