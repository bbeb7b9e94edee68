# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Whose process is it: sourced by functions.sh and fuse_lib.sh.

# is_child PID: it is still a process of this test. Numbers of those that have ended are given to
# others soon where many tests run: who signals one of them hits another test's daemon.
is_child()
{
	[ "$(sed 's/^.*) . \([0-9]*\) .*$/\1/' "/proc/$1/stat" 2>/dev/null)" = $$ ]
}
