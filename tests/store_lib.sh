# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the tests of failing backing stores share: sourced after functions.sh.

FAULTDIR=$top_builddir/tests/stand/faultdir/faultdir
# shellcheck disable=SC2034
LCCTL=$top_builddir/lcfs/tools/lcctl

# faultdir_start DIR MNT [OPTION]: shows DIR at MNT. Its pid goes to $faultdir.
faultdir_start()
{
	# shellcheck disable=SC2086 # no option, or one
	"$FAULTDIR" ${3:-} "$1" "$2" >>"$tmp/faultdir.log" 2>&1 </dev/null 3>&- 4>&- 9>&- &
	faultdir=$!
	cleanup_fn faultdir_end "$faultdir" "$2"
	eventually 20 is_mounted "$2" || fail "faultdir does not start: $(cat "$tmp/faultdir.log")"
	# by a descriptor it can be reached while the root hangs
	exec 9<>"$2/.faultdir"
}

# faultdir_end PID MNT
faultdir_end()
{
	! is_child "$1" || kill -9 "$1"
	! is_mounted "$2" || umount -l "$2"
}

# store_begin [OPTION [MKFS_OPTION]]: a mount at $mnt of the store $store, which is faultdir's with
# that option and keeps its files in $tmp/real.
store_begin()
{
	mkdir "$tmp/real" "$tmp/store" "$tmp/mnt"
	store=$tmp/store
	mnt=$tmp/mnt
	faultdir_start "$tmp/real" "$store" "${1:-}"
	new_cache "$tmp/cache" ${2:+"$2"}
	mount_with_log "$tmp/cache" "$store" "$mnt"
	set_knob "$mnt" force_migrate 1
}

# faultdir_kill MNT: as when a store's own daemon dies. Its mount stays, and is dead.
faultdir_kill()
{
	exec 9>&-
	kill -9 "$faultdir"
	wait "$faultdir" 2>/dev/null || :
	eventually 10 store_is_dead "$1" || fail "$1 is alive"
}

store_is_dead()
{
	! timeout 10 stat "$1/." >/dev/null 2>&1
}

# fault RULE...: a rule more; see faultdir.h.
fault()
{
	echo "$*" >/proc/self/fd/9 || fail "faultdir does not take: $*"
}

faults()
{
	timeout 20 cat /proc/self/fd/9
}

is_hanging()
{
	[ "$(faults | sed -n 's/^hanging //p')" -gt 0 ]
}

# The directory number of an image of the mount $mnt in the control tree.
device_of()
{
	for device in "$mnt"/.lcctl/devices/*/; do
		[ "$(timeout 20 cat "$device/name" 2>/dev/null)" = "$1" ] || continue
		echo "$device"
		return
	done
}

# image_state IMAGE WORD: is it in that state?
image_state()
{
	state=$(timeout 20 cat "$(device_of "$1")/state" 2>/dev/null)
	[ "$state" = "$2" ]
}

# reason_has IMAGE TEXT
reason_has()
{
	timeout 20 cat "$(device_of "$1")/reason" | grep -qF -e "$2"
}

metric()
{
	timeout 20 cat "$mnt/.lcctl/metrics" |
		awk -v name="$1" 'index($1, name) == 1 { s += $2 } END { print s + 0 }'
}

# put FILE BLOCK SEED [COUNT]: blocks of 4 KiB that follow from the seed, synced.
put()
{
	random_file "$tmp/put" $((4096 * ${4:-1})) "$3"
	timeout 30 dd if="$tmp/put" of="$1" bs=4096 seek="$2" conv=notrunc,fdatasync status=none
}

# has FILE BLOCK SEED [COUNT]: past the page cache.
has()
{
	random_file "$tmp/put" $((4096 * ${4:-1})) "$3"
	timeout 30 dd if="$1" iflag=direct bs=4096 skip="$2" count="${4:-1}" status=none |
		cmp -s - "$tmp/put"
}

# The image is not in the mount's cache any more.
is_image_clean()
{
	timeout 20 cat "$(device_of "$1")/state" 2>/dev/null | grep -qxE 'clean|uncached'
}
