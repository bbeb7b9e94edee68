#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# .lcctl is found but not listed, its files have sysfs manners; lcfs's own directory is hidden.
set -eu
. "$(dirname "$0")/fuse_lib.sh"

mkdir "$back/.lcfs" "$back/d"
echo secret >"$back/.lcfs/caches"
fs_start -o ctl
ctl=$mnt/.lcctl
[ "$(ls -A "$mnt")" = d ] || fail "listed: $(ls -A "$mnt")"
[ "$(cat "$ctl/version")" = 1.0 ] || fail "version"
[ "$(ls "$ctl")" = "$(printf 'caches\nlong\nversion')" ] || fail "list of .lcctl"
[ "$(ls -a "$ctl/caches/1")" = "$(printf '.\n..\ndevice\nknob')" ] || fail "list of a cache"
[ "$(find "$ctl" | wc -l)" = 7 ] || fail "find"
[ "$(readlink "$ctl/caches/1/device")" = /dev/cache ] || fail "link"
[ "$(cat "$ctl/caches/1/knob")" = 70 ] || fail "knob"
echo 12 >"$ctl/caches/1/knob"
[ "$(cat "$ctl/caches/1/knob")" = 12 ] || fail "> does not set"
echo 13 >>"$ctl/caches/1/knob"
printf 14 >"$ctl/caches/1/knob"
[ "$(head -n 1 "$ctl/caches/1/knob")" = 14 ] || fail ">> does not set"
for wrong in 101 -1 x 1x ''; do
	echo "$wrong" 2>/dev/null >"$ctl/caches/1/knob" && fail "'$wrong' was taken"
	[ "$(cat "$ctl/caches/1/knob")" = 14 ] || fail "'$wrong' changed it"
done
[ "$(cat "$ctl/long" | wc -c)" = 200000 ] || fail "a long file"
[ "$(dd if="$ctl/long" bs=1000 skip=199 status=none | wc -c)" = 1000 ] ||
	fail "a part of a long file"
[ "$(stat -c %s "$ctl/long")" = 0 ] || fail "size"
{ cat "$ctl/caches/1/knob" & cat "$ctl/caches/1/knob"; wait; } >/dev/null
for call in "rm $ctl/version" "mkdir $ctl/x" "touch $ctl/x" "rmdir $ctl/caches" "rmdir $ctl" \
	"mv $ctl/version $mnt/v" "mv $mnt/d $ctl/d" "mv $ctl $mnt/y" "ln $ctl/version $mnt/z" \
	"chmod 777 $ctl/version" "mkdir $mnt/.lcfs" "cat $mnt/.lcfs/caches" "ls $mnt/.lcfs" \
	"mv $mnt/d $mnt/.lcfs" "rm -r $mnt/.lcfs" \
	"setfattr -n user.lcfs.mark -v 1 $mnt/d"; do
	$call >/dev/null 2>&1 && fail "allowed: $call"
done
# Only the root's name is taken.
mkdir "$mnt/d/.lcctl" "$mnt/d/.lcfs"
rm -rf "${mnt:?}"/*
[ -d "$ctl" ] || fail "rm -rf * reached it"
[ "$(cat "$back/.lcfs/caches")" = secret ] || fail "lcfs's own directory was reached"
fs_stop

fs_start -o ctlvisible
[ "$(ls -A "$mnt")" = .lcctl ] || fail "visible: $(ls -A "$mnt")"
[ "$(cat "$mnt/.lcctl/version")" = 1.0 ] || fail "visible: version"
fs_stop

fs_start
[ ! -e "$mnt/.lcctl" ] || fail "there without a control tree"
mkdir "$mnt/.lcctl"
rmdir "$mnt/.lcctl"
fs_stop
