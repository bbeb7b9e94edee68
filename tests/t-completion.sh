#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of bash knows what the programs know: each option, words of options, verbs.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires bash
library=/usr/share/bash-completion/bash_completion
[ -e "$library" ] || skip "bash-completion is not installed"

# offers WORD... : what is offered goes to $tmp/offered.
offers()
{
	bash "$top_srcdir/tests/completion.bash" "$library" "$top_srcdir/completion/lcfs" "$@" \
		>"$tmp/offered" 2>"$tmp/err" || fail "completion of '$*' fails"
	[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "completion of '$*' complains"; }
}

has()
{
	for word; do
		grep -qxF -e "$word" "$tmp/offered" ||
			{ cat "$tmp/offered"; fail "'$word' is not offered"; }
	done
}

only()
{
	has "$@"
	[ "$(wc -l <"$tmp/offered")" = $# ] || { cat "$tmp/offered"; fail "more than $*"; }
}

# Each option, in both forms.
"$LCFS" --list-options >"$tmp/options"
[ "$(wc -l <"$tmp/options")" -ge 30 ] || fail "--list-options: $(cat "$tmp/options")"
offers "$LCFS" -o ''
while IFS='	' read -r name type rest; do
	case $type in
	flag) has "$name" "no$name" ;;
	mount) has "$name" ;;
	*) has "$name=" ;;
	esac
done <"$tmp/options"
offers "$LCFS" --
while IFS='	' read -r name type rest; do
	case $type in
	flag) has "--$name" ;;
	mount) ;;
	*) has "--$name=" ;;
	esac
done <"$tmp/options"
offers "$LCFS" --h
only --help

# Values; readline takes what is before the = for a word that is there.
offers "$LCFS" -o ctldir=
only hidden visible
offers "$LCFS" -o 'noatime,ctldir=v'
only visible
offers "$LCFS" -o 'cache=/dev/x,migrate_thr'
only /dev/x,migrate_threshold=
offers "$LCFS" -f -o 'writeback_cache=o'
only on off
offers "$LCFS" --log-level=w
only warning
mkdir "$tmp/images"
: >"$tmp/image.cache"
offers "$LCFS" -o "cache=$tmp/ima"
only "$tmp/images/" "$tmp/image.cache"
offers "$LCFS" -o "ro,directory=$tmp/ima"
only "$tmp/images/"
offers "$LCFS" "$tmp/ima"
only "$tmp/images/"

# The tools have their options from --help.
offers "$MKFS" --
has --force --label= --segment-order= --size= --uuid= --quiet --help --version
offers "$MKFS" "$tmp/image."
only "$tmp/image.cache"

# lcctl's verbs and knobs.
LCCTL=$top_builddir/lcfs/tools/lcctl
[ -x "$LCCTL" ] || exit 0
"$LCCTL" help -H >"$tmp/help"
grep -q '^verb	' "$tmp/help" || fail "lcctl help -H: $(cat "$tmp/help")"
offers "$LCCTL" ''
# shellcheck disable=SC2046
has $(sed -n 's/^verb	\([a-z-]*\)	.*/\1/p' "$tmp/help")
offers "$LCCTL" sta
only status
offers "$LCCTL" set migrate_
only migrate_threshold
