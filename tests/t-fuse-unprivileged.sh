#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A user without rights mounts by way of fusermount3, and makes files that even the owner may not
# write.
set -eu
. "$(dirname "$0")/fuse_lib.sh"
need fusermount3 setpriv
[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not set-user-id"

# Where /dev/fuse is for root only, it is made as it is elsewhere, for this test alone.
if [ "$(stat -c %a /dev/fuse)" != 666 ]; then
	[ -z "${IN_NAMESPACE:-}" ] || skip "/dev/fuse is not for users"
	need unshare
	rm -rf "$tmp"
	exec env IN_NAMESPACE=1 unshare -m sh -c \
		'node=$(mktemp -u) && mknod -m 666 "$node" c 10 229 &&
		mount --bind "$node" /dev/fuse
		umount -l -a -t fuse.lcfs
		rm -f "$node"; exec "$@"' sh "$0" "$@"
fi

uid=$(id -u nobody) || skip "no user nobody"
gid=$(id -g nobody)
chown "$uid:$gid" "$tmp" "$back" "$mnt"
user="setpriv --reuid=$uid --regid=$gid --clear-groups"
$user timeout 20 "$bin/fusetest" -o noother -p "$tmp/pid" "$back" "$mnt" 2>"$tmp/log" || {
	grep -q 'ermission denied\|not permitted' "$tmp/log" && skip "$(cat "$tmp/log")"
	fail "$(cat "$tmp/log")"
}
server=$(cat "$tmp/pid")
mounts=$mnt
fs_mnt=$mnt
findmnt -n -o FSTYPE,SOURCE "$mnt" | grep -q "fuse.lcfs *$back" ||
	fail "shown as: $(findmnt -n "$mnt")"
$user timeout 100 "$bin/fs_posix" "$mnt" || fail "as a user"
$user sh -c "umask 0; echo x >'$mnt/f'; chmod 444 '$mnt/f'; cat '$mnt/f'" >/dev/null
[ "$(stat -c %u:%g:%a "$back/f")" = "$uid:$gid:444" ] || fail "owner: $(stat -c %u:%g:%a "$back/f")"
$user fusermount3 -u "$mnt"
wait_for_end
[ "$(tail -n 1 "$tmp/log")" = "fusetest: ended" ] || fail "the server did not end well"
