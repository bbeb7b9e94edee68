# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's switch of FUSE over io_uring: sourced by tests that mount with it. It is one for the
# whole machine, so who touches it has it locked until its end.

uring=/sys/module/fuse/parameters/enable_uring
uring_was=

# allow_uring: mounts to come may ask for it. False: this kernel has no FUSE over io_uring.
allow_uring()
{
	[ -w "$uring" ] && command -v flock >/dev/null || return 1
	exec 8<"$uring"
	flock 8
	uring_was=$(cat "$uring")
	echo Y >"$uring"
}

# forbid_uring: the opposite, after allow_uring.
forbid_uring()
{
	echo N >"$uring"
}

# restore_uring: at the end.
restore_uring()
{
	[ -z "$uring_was" ] || echo "$uring_was" >"$uring"
}
