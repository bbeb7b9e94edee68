# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034
# What others would put into the place of lcfs: started, and undone. Each gives $peer_file and the
# processes $peer_pids, whose time is counted; 1: it does not work here, $peer_why.

# has_peer PACKAGE COMMAND...
has_peer()
{
	peer_why="the package $1 is not installed"
	shift
	for command; do
		command -v "$command" >/dev/null || return 1
	done
}

# peer_serve MNT COMMAND...
peer_serve()
{
	try_serve "$@" && return
	peer_why="does not serve: $(head -n 1 "$tmp/log")"
	return 1
}

# One file of the fast disk, on libfuse's own loop.
peer_passthrough()
{
	fresh_back "$tmp/pass-back"
	: >"$tmp/pass"
	peer_serve "$tmp/pass" "$LOOP_MT" -p "$tmp/pass-back/image" "$tmp/pass"
	peer_file=$tmp/pass
	peer_pids=$server
}

# peer_qsd DRIVER-OPTIONS: a FUSE export of qemu's, direct.
peer_qsd()
{
	: >"$tmp/qsd"
	peer_serve "$tmp/qsd" "$tmp/in-group" qemu-storage-daemon \
		--blockdev "node-name=node,$1" --export \
		"type=fuse,id=export,node-name=node,mountpoint=$tmp/qsd,writable=on" || return 1
	# It does not end when it is unmounted.
	undo end_process "$server"
	peer_file=$tmp/qsd
	peer_pids=$server
}

# The image on the slow disk, as it is.
peer_raw()
{
	has_peer qemu-system-common qemu-storage-daemon || return 1
	peer_qsd "driver=raw,$(direct_file file "$tmp/slow/peer/image")"
}

# An overlay on the fast disk, over that.
peer_qcow2()
{
	has_peer "qemu-system-common or qemu-utils" qemu-storage-daemon qemu-img || return 1
	rm -f "$tmp/overlay"
	qemu-img create -q -f qcow2 -b "$tmp/slow/peer/image" -F raw "$tmp/overlay" ||
		die "qemu-img failed"
	peer_qsd "driver=qcow2,$(direct_file file "$tmp/overlay"),backing.driver=raw,$(
		direct_file backing.file "$tmp/slow/peer/image")"
}

# direct_file NODE PATH
direct_file()
{
	echo "$1.driver=file,$1.filename=$2,$1.cache.direct=on,$1.aio=native,$1.locking=off"
}

# The cache filter keeps what is written in a file of the fast disk until there is a flush.
peer_nbdkit()
{
	has_peer "nbdkit or libnbd-bin" nbdkit nbdfuse || return 1
	mkdir -p "$tmp/nbd"
	rm -f "$tmp/nbd.socket"
	TMPDIR=$tmp "$tmp/in-group" nbdkit -f -U "$tmp/nbd.socket" --filter=cache file \
		"$tmp/slow/peer/image" >"$tmp/log" 2>&1 </dev/null &
	nbdkit=$!
	undo end_process "$nbdkit"
	eventually 20 test -S "$tmp/nbd.socket" || {
		peer_why="does not serve: $(head -n 1 "$tmp/log")"
		return 1
	}
	peer_serve "$tmp/nbd" nbdfuse "$tmp/nbd/image" --unix "$tmp/nbd.socket" || return 1
	peer_file=$tmp/nbd/image
	peer_pids="$nbdkit $server"
}

end_process()
{
	kill "$1" 2>/dev/null
	eventually 10 is_gone "$1" || kill -9 "$1"
	wait "$1" 2>/dev/null || :
}
