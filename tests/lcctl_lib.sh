# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For tests of lcctl: sourced after functions.sh.

# shellcheck disable=SC2154
LCCTL=$top_builddir/lcfs/tools/lcctl

# alone "$0": the test again where no other lcfs is mounted, since lcctl looks at all mounts.
alone()
{
	requires_fuse
	requires unshare
	if [ "${test_in_namespace:-}" != yes ]; then
		unshare -m --propagation private true 2>/dev/null || skip "no mount namespaces"
		test_in_namespace=yes
		export test_in_namespace
		status=0
		unshare -m --propagation private "$1" || status=$?
		exit $status
	fi
	let_go_of_foreign_mounts
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
