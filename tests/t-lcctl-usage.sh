#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl: wrong usage ends with status 2 and one line that says what is wrong; every verb has help.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu

refused 2 'what is to be done' "$LCCTL"
refused 2 "'frobnicate' is no verb" "$LCCTL" frobnicate
refused 2 "unrecognized option '--frob'" "$LCCTL" --frob
refused 2 "unrecognized option '--json'" "$LCCTL" drain --json
refused 2 'drain has no option --json' "$LCCTL" --json drain
refused 2 'IMAGE... is missing' "$LCCTL" attach
refused 2 "'b' is one argument too many" "$LCCTL" status a b
refused 2 "'x' is no interval" "$LCCTL" iostat x
refused 2 "'0' is no interval" "$LCCTL" iostat 0
refused 2 "'nan' is no interval" "$LCCTL" iostat nan
refused 2 "'0' is no count" "$LCCTL" iostat 1 0
refused 2 'to what?' "$LCCTL" set allow_migrate
refused 2 "'x' is no number of a cache" "$LCCTL" attach --cache x a
refused 1 'neither a verb nor a knob' "$LCCTL" help frobnicate

works "$LCCTL" --version
grep -q '^lcctl ' "$tmp/out" || fail "--version says: $(cat "$tmp/out")"
works "$LCCTL" help -H
cut -f 1,2,3,4,5 "$tmp/out" >"$tmp/table"
[ "$(grep -c '^verb' "$tmp/table")" -ge 12 ] || fail "verbs: $(cat "$tmp/table")"
[ "$(grep -c '^knob' "$tmp/table")" -ge 8 ] || fail "knobs: $(cat "$tmp/table")"
grep '^verb' "$tmp/table" | while IFS="$tab" read -r _ verb operands options help; do
	says "Usage: lcctl $verb" "$LCCTL" "$verb" --help
	case $verb in
	apply | export) says "Usage: lcctl $verb" "$LCCTL" help "$verb" ;;
	*) says "$help" "$LCCTL" help "$verb" ;;
	esac
	says "$verb${operands:+ $operands}" "$LCCTL" --help
	case $options in
	*--help*) ;;
	*) fail "$verb has no --help" ;;
	esac
done
grep '^knob' "$tmp/table" | while IFS="$tab" read -r _ knob _; do
	says "$knob" "$LCCTL" help "$knob"
done
! "$LCCTL" --help >/dev/full 2>"$tmp/err" || fail "a full disk is not noticed"
grep -q 'standard output: No space left' "$tmp/err" || fail "/dev/full: $(cat "$tmp/err")"
