#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Who waits for a control file to change is woken when it does, by poll, select and epoll, and not
# before; an image is always ready.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
poller=$top_builddir/tests/poller
standard_mount 'allow_migrate=0,flush_current_buffer_interval=0,commit_super_block_interval=0'
ctl=$mnt/.lcctl/caches/1

# starts HOW FILE: a poller of FILE that has read it; its words go to $tmp/said.
starts()
{
	timeout 100 "$poller" "$1" "$2" 60 >"$tmp/said" &
	pid=$!
	cleanup_fn end_process "$pid"
	eventually 20 grep -q waiting "$tmp/said" || fail "the poller does not start"
}

# says TEXT: the poller ends, with these words.
says()
{
	wait "$pid" || fail "nobody was woken: status $?"
	[ "$(tail -n +2 "$tmp/said")" = "$1" ] || fail "not '$1' but: $(cat "$tmp/said")"
}

starts poll "$ctl/update_interval"
echo 7 >"$ctl/update_interval"
says 'PRI ERR: 7'
starts select "$ctl/update_interval"
echo 8 >"$ctl/update_interval"
says 'PRI: 8'
starts epoll "$ctl/update_interval"
echo 9 >"$ctl/update_interval"
says 'PRI ERR: 9'

# A number that changes by itself.
starts poll "$ctl/nr_dirty_caches"
head -c 4096 /dev/zero >"$mnt/image"
says 'PRI ERR: 1'
starts poll "$mnt/.lcctl/devices/1/state"
echo 1 >"$mnt/.lcctl/drain"
says 'PRI ERR: clean'

# Nothing has happened.
status=0
timeout 60 "$poller" poll "$ctl/allow_migrate" 1 >"$tmp/said" || status=$?
[ $status = 2 ] || fail "woken for nothing: $(cat "$tmp/said")"

# Data is ready at once.
for file in "$mnt/image" "$ctl/allow_migrate"; do
	[ "$(timeout 60 "$poller" ready "$file" 0)" = ready ] || fail "$file is not ready"
done

# A poller does not keep the mount from ending.
starts poll "$ctl/allow_migrate"
umount -l "$mnt"
kill "$pid"
wait "$pid" || :
