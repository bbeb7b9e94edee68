# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# An NFS server and its clients, all of them in user space, for a test: sourced after functions.sh.
#
# No client without the kernel's shows a directory: each file is a mount point of its own. qemu's
# client, which waits for a server that does not answer and connects again, gives it on as a network
# block device, and nbdfuse shows that as a file.
#
# All runs in namespaces of its own (nfs_namespaces, first thing), so that ports, rpcbind and /run
# are nobody else's, and what is left in the end is gone with them.

nfs_namespaces()
{
	requires rpcbind ganesha.nfsd nfs-ls qemu-storage-daemon nbdfuse ip
	has_module ganesha libfsalvfs.so || skip "nfs-ganesha has no module for local files"
	has_module qemu block-nfs.so || skip "qemu has no module for NFS"
	own_namespace "$1" --net --pid --fork --kill-child --mount-proc
	ip link set lo up
	mount -t tmpfs none /run
	cleanup_fn unmount_quietly /run
}

# has_module FOLDER NAME
has_module()
{
	for module in /usr/lib/"$1/$2" /usr/lib/*/"$1/$2" /usr/lib64/"$1/$2"; do
		[ ! -e "$module" ] || return 0
	done
	return 1
}

# nfs_start DIR: serves DIR/export.
nfs_start()
{
	nfs_dir=$1
	nfs_server=
	nfs_clients=
	mkdir -p "$1/export" /run/rpcbind
	# the protocol that qemu's client speaks
	cat >"$1/ganesha.conf" <<-END
	NFS_CORE_PARAM {
		Protocols = 3;
		Mount_Path_Pseudo = true;
		Enable_NLM = false;
		Enable_RQUOTA = false;
		NFS_Port = 2049;
		MNT_Port = 20048;
	}
	NFSv4 { RecoveryRoot = $1/recovery; }
	EXPORT {
		Export_Id = 1;
		Path = $1/export;
		Pseudo = /export;
		Access_Type = RW;
		Squash = No_Root_Squash;
		FSAL { Name = VFS; }
	}
	END
	cleanup_fn nfs_stop
	rpcbind -f >"$1/rpcbind.log" 2>&1 </dev/null &
	nfs_rpcbind=$!
	nfs_serve
}

nfs_answers()
{
	timeout 5 nfs-ls nfs://127.0.0.1/export >/dev/null 2>&1
}

# nfs_serve: the server, again if it was killed.
nfs_serve()
{
	ganesha.nfsd -F -f "$nfs_dir/ganesha.conf" -L "$nfs_dir/ganesha.log" \
		-p "$nfs_dir/ganesha.pid" >"$nfs_dir/ganesha.out" 2>&1 </dev/null &
	nfs_server=$!
	eventually 20 nfs_answers || fail "no NFS server: $(tail -n 5 "$nfs_dir/ganesha.log")"
}

nfs_kill()
{
	kill -9 "$nfs_server"
	wait "$nfs_server" 2>/dev/null || :
	! nfs_answers || fail "the NFS server survives kill -9"
}

# nfs_show NAME FILE: the file NAME of the export, as FILE.
nfs_show()
{
	socket=$nfs_dir/$1.socket
	[ -e "$2" ] || : >"$2"
	qemu-storage-daemon --blockdev driver=nfs,node-name=nfs,path="/export/$1",user=0,group=0,$(
		)server.type=inet,server.host=127.0.0.1 \
		--blockdev driver=raw,node-name=image,file=nfs \
		--nbd-server addr.type=unix,addr.path="$socket",max-connections=16 \
		--export type=nbd,id=export,node-name=image,name=image,writable=on \
		>>"$nfs_dir/client.log" 2>&1 </dev/null &
	nfs_clients="$nfs_clients $!"
	eventually 20 test -S "$socket" || fail "no NFS client: $(cat "$nfs_dir/client.log")"
	nbdfuse "$2" "nbd+unix:///image?socket=$socket" >>"$nfs_dir/client.log" 2>&1 </dev/null &
	nfs_clients="$nfs_clients $!"
	cleanup_fn unmount_quietly "$2"
	eventually 20 is_mounted "$2" || fail "no nbdfuse: $(cat "$nfs_dir/client.log")"
}

nfs_stop()
{
	for process in $nfs_clients $nfs_server $nfs_rpcbind; do
		! is_child "$process" || kill -9 "$process"
	done
	wait
}
