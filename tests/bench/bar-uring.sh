# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# 4 KiB random writes with transport=uring, against a null filesystem on the same transport. With
# --transport all rows are about one transport, and there are none of these.

uring_lcfs()
{
	fresh_lcfs
	# shellcheck disable=SC2046
	measure "$lcfs_pid" "$tmp/mnt/image" $(load "$uring_load")
	uring_samples "$1" lcfs
	leave_to "$uring_undo"
}

uring_null()
{
	# shellcheck disable=SC2046
	measure "$null_pid" "$tmp/null/image" $(load "$uring_load")
	uring_samples "$1" ref
}

# uring_samples PAIR SIDE
uring_samples()
{
	sample "uring-$uring_load" "$1" "$2" "$(calc "$iops / 1000")" "$cpu_server" "$cpu_client"
	sample "uring-cpu-$uring_load" "$1" "$2" "$cpu_server"
}

# uring_rows LOAD NEEDS
uring_rows()
{
	uring_load=$1
	row "uring-$1" kIOPS more "$2" "4 KiB random write, transport=uring / null filesystem on it"
	row "uring-cpu-$1" us less 1.25 "processor time of the daemon a write / the same"
	[ -z "$uring_missing" ] || { note "uring-$1" "$uring_missing"; return 0; }
	pairwise "uring-$1" "$pairs" uring_lcfs uring_null
}

# Of the kernel it may be asked for less by one than by the other.
uring_probe()
{
	fresh_back "$tmp/back"
	format_cache
	try_serve "$tmp/mnt" "$LCFS" -f -o "config=none,cache=$cache$lcfs_transport" "$tmp/back" \
		"$tmp/mnt" || uring_missing="not here: $(head -n 1 "$tmp/log")"
	leave_to $((nr_undo - 1))
}

# Whether lcfs has it is what its options say; whether the kernel has, a mount.
bar_uring()
{
	[ -z "$transport" ] || return 0
	uring_missing=
	if ! "$LCFS" --list-options | grep -q transport; then
		uring_missing="this lcfs has no transport=uring"
	elif ! try_serve "$tmp/null" "$NULL_FUSE" -u "$tmp/null-back" "$tmp/null"; then
		uring_missing="not here: $(head -n 1 "$tmp/log")"
	fi
	null_pid=${server:-}
	use_transport uring
	[ -n "$uring_missing" ] || uring_probe
	uring_undo=$nr_undo
	uring_rows qd1 0.90
	! is_long || uring_rows qd32 0.80
	uring_rows qd32x4 0.85
}
