# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A GlusterFS replica of three bricks on this machine, for a test: sourced after functions.sh.
# Nothing of it can be reached from elsewhere; what it starts is ended by gluster_stop, also on
# failure.

gluster_volume=lcfs-t-$$

requires_gluster()
{
	requires glusterd glusterfs gluster
	requires_root
	getent ahostsv4 "$(hostname)" | grep -q '^127\.' ||
		skip "bricks are named by the machine's name, and that is not one of 127.*"
	# it has one port for the management of a machine
	! pgrep -x glusterd >/dev/null || skip "there is a glusterd already"
}

gluster_command()
{
	timeout 60 gluster --mode=script "$@" >>"$tmp/gluster.log" 2>&1
}

# gluster_start DIR: the volume, with three bricks, at DIR/mnt.
gluster_start()
{
	gluster_dir=$1
	mkdir -p "$1/work" "$1/log" "$1/mnt" "$1/b1" "$1/b2" "$1/b3"
	cat >"$1/glusterd.vol" <<-END
	volume management
	    type mgmt/glusterd
	    option working-directory $1/work
	    option transport-type socket
	    option transport.address-family inet
	    option transport.socket.bind-address 127.0.0.1
	    option transport.socket.listen-port 24007
	    option transport.socket.read-fail-log off
	    option ping-timeout 0
	    option event-threads 1
	    option max-port 60999
	end-volume
	END
	cleanup_fn gluster_stop
	glusterd -f "$1/glusterd.vol" -l "$1/log/glusterd.log" -p "$1/glusterd.pid"
	eventually 20 gluster_command pool list || fail "glusterd does not answer"
	gluster_command volume create "$gluster_volume" replica 3 "$(hostname):$1/b1/d" \
		"$(hostname):$1/b2/d" "$(hostname):$1/b3/d" force ||
		fail "no volume: $(tail -n 5 "$tmp/gluster.log")"
	gluster_command volume set "$gluster_volume" auth.allow 127.0.0.1
	gluster_command volume set "$gluster_volume" network.ping-timeout 5
	gluster_command volume start "$gluster_volume" ||
		fail "the volume does not start: $(tail -n 5 "$tmp/gluster.log")"
	gluster_mount
}

gluster_mount()
{
	glusterfs --volfile-server=127.0.0.1 --volfile-id="/$gluster_volume" \
		-p "$gluster_dir/mnt.pid" -l "$gluster_dir/log/mnt.log" "$gluster_dir/mnt"
	eventually 20 is_mounted "$gluster_dir/mnt" || fail "the volume is not mounted"
	eventually 20 timeout 10 ls "$gluster_dir/mnt" >/dev/null ||
		fail "the volume does not serve"
}

brick_pid()
{
	cat /var/run/gluster/vols/"$gluster_volume"/*"b$1-d.pid"
}

# kill_brick N
kill_brick()
{
	brick=$(brick_pid "$1")
	kill -9 "$brick"
	eventually 10 is_gone "$brick" || fail "brick $1 survives kill -9"
}

# start_bricks: those that are not there.
start_bricks()
{
	gluster_command volume start "$gluster_volume" force || fail "the bricks do not start"
}

heals_left()
{
	timeout 30 gluster --mode=script volume heal "$gluster_volume" info summary 2>/dev/null |
		awk '/^Total Number of entries:/ { n += $NF } END { print NR ? n + 0 : "unknown" }'
}

is_healed()
{
	[ "$(heals_left)" = 0 ]
}

# Those that have this test's directory or volume in their command line, and their own children.
gluster_processes()
{
	for process in /proc/[0-9]*; do
		name=$(cat "$process/comm" 2>/dev/null)
		case $name in
		gluster*) ! tr '\0' ' ' <"$process/cmdline" 2>/dev/null |
			grep -qF -e "$gluster_dir/" -e "$gluster_volume" ||
			echo "${process#/proc/}" ;;
		esac
	done
}

gluster_is_gone()
{
	[ -z "$(gluster_processes)" ]
}

gluster_stop()
{
	! is_mounted "$gluster_dir/mnt" || umount -l "$gluster_dir/mnt"
	gluster_command volume stop "$gluster_volume" force
	gluster_command volume delete "$gluster_volume"
	for process in $(gluster_processes); do
		kill "$process" 2>/dev/null
	done
	if ! eventually 5 gluster_is_gone; then
		for process in $(gluster_processes); do
			kill -9 "$process" 2>/dev/null
		done
		eventually 10 gluster_is_gone || echo "left: $(gluster_processes)"
	fi
	rm -rf "/var/run/gluster/vols/$gluster_volume" "/var/run/gluster/shd/$gluster_volume"
}
