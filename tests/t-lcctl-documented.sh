#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each verb and option of lcctl is in lcctl(8), nothing else is, and the commands of its examples
# work.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
alone "$0"
page=$top_srcdir/man/lcctl.8

works "$LCCTL" help -H
cp "$tmp/out" "$tmp/table"
verbs=$(sed -n "s/^verb$tab\([a-z]*\)$tab.*/\1/p" "$tmp/table")
for verb in $verbs; do
	grep -q "^\.It Cm $verb\$\|^\.It Cm $verb " "$page" || fail "$verb is not in lcctl(8)"
	grep -q "^\.Cm $verb\$" "$page" || fail "$verb is not in the SYNOPSIS of lcctl(8)"
done
for verb in $(sed -n 's/^\.It Cm \([a-z]*\).*/\1/p' "$page"); do
	echo "$verbs" | grep -qx "$verb" || fail "lcctl(8) has $verb, which is no verb"
done
options=$(grep '^verb' "$tmp/table" | cut -f 4 | tr ' ' '\n' | sed -n 's/^--\([a-z-]*\).*/\1/p' |
	sort -u)
[ "$(echo "$options" | wc -w)" -ge 12 ] || fail "options: $options"
for option in $options; do
	grep -q "Fl -$option\( \|\$\)" "$page" || fail "--$option is not in lcctl(8)"
done
for option in $(grep -o 'Fl -[a-z-]*' "$page" | sed 's/^Fl -//' | sort -u); do
	echo "$options" version | tr ' ' '\n' | grep -qx -e "$option" ||
		fail "lcctl(8) has --$option, which is no option"
done

# The examples, one after the other, as they stand there but for the mount point.
standard_mount allow_migrate=0
cp "$page" "$mnt/vm1.img"

# held IMAGE: its file is changed, or removed, and it is found out.
held()
{
	works "$LCCTL" set allow_migrate 0
	cp "$page" "$mnt/$1"
	works "$LCCTL" flush -q
	if [ "$1" = old.img ]; then
		rm "$dir/$1"
	else
		echo more >>"$dir/$1"
	fi
	run "$LCCTL" drain -q "$1"
	[ "$status" = 1 ] || fail "$1 is not held"
}
sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\.Dl # //p' "$page" |
	sed "s|/var/tmp/|$tmp/|g; s|/mnt/lc|$mnt|g" >"$tmp/examples"
[ "$(wc -l <"$tmp/examples")" -ge 10 ] || fail "examples: $(cat "$tmp/examples")"
PATH=$(dirname "$LCCTL"):$PATH
export PATH
while read -r command; do
	case $command in
	*export=*) held vm2.img ;;
	*forget*) held old.img ;;
	esac
	works sh -c "$command"
done <"$tmp/examples"
! is_mounted "$mnt" || fail "the last example leaves it mounted"
same "$page" "$dir/vm1.img"
same "$page" "$dir/vm2.img"
same "$page" "$tmp/vm2.rescued"
[ ! -e "$dir/old.img" ] || fail "old.img is there again"
