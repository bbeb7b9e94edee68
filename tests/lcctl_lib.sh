# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For tests of lcctl: sourced after functions.sh.

# shellcheck disable=SC2154
LCCTL=$top_builddir/lcfs/tools/lcctl

# alone "$0": the test again where no other lcfs is mounted, since lcctl looks at all mounts.
alone()
{
	requires_fuse
	own_namespace "$1"
}

# says TEXT COMMAND...: works, and TEXT is in its output.
says()
{
	text=$1
	shift
	works "$@"
	grep -qF -e "$text" "$tmp/out" && return
	cat "$tmp/out"
	fail "'$text' is not said: $*"
}

# matches REGEX COMMAND...: works, and a whole line of its output matches.
matches()
{
	text=$1
	shift
	works "$@"
	grep -qxE -e "$text" "$tmp/out" && return
	cat "$tmp/out"
	fail "no line '$text': $*"
}

tab=$(printf '\t')
