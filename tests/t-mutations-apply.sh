#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each mutation still changes each file that it names, the tests that are to find it exist, and
# docs/testing.md has it; what it calls a mutation is one. Whether they are found: check-mutations.
set -eu

: "${top_srcdir:=.}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$top_srcdir"
failed=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

for mutation in tests/sim/mutations/*.sed tests/mutations/*.sed; do
	name=$(basename "$mutation" .sed)
	for file in $(sed -n 's/^#@ //p' "$mutation"); do
		awk -v file="$file" '/^#@ /{ on = $2 == file; next } on' "$mutation" >"$tmp/script"
		sed -E -f "$tmp/script" "$file" >"$tmp/mutant"
		! cmp -s "$file" "$tmp/mutant" || complain "$mutation changes nothing in $file"
	done
	for test in $(sed -n 's/^#! //p' "$mutation"); do
		[ -e "$test" ] || [ -e "$test.c" ] || complain "$mutation: there is no $test"
	done
	grep -qF "\`$name\`" docs/testing.md || complain "docs/testing.md does not have $name"
	echo "$name" >>"$tmp/names"
done

# The last column of the table of rules and of that of promises and pitfalls.
awk -F '|' '/^\| (rule|key|promise) /{ on = 1; next } !/^\|/{ on = 0 } on { print $(NF - 1) }' \
	docs/testing.md | grep -o '`[^`]*`' | tr -d '`' | sort -u >"$tmp/documented"
while read -r name; do
	grep -qxF -e "$name" "$tmp/names" || complain "docs/testing.md: $name is no mutation"
done <"$tmp/documented"
exit $failed
