#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each line of each mutation still changes the file that it is for, the tests that are to find it
# exist, and docs/testing.md has it; what it calls a mutation is one. Whether they are found:
# check-mutations.
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

# Line by line: half of a mutation is another one.
expect_changes() # MUTATION FILE
{
	awk -v file="$2" '/^#@ /{ on = $2 == file; next } on' "$1" >"$tmp/script"
	lines=$(wc -l <"$tmp/script")
	before=$2
	line=1
	while [ "$line" -lt "$lines" ]; do
		# inside of { } it is none
		now=$tmp/$line
		if sed "${line}q" "$tmp/script" | sed -E -f - "$2" >"$now" 2>"$tmp/error"; then
			! cmp -s "$before" "$now" ||
				complain "$1, line $line, changes nothing in $2"
			before=$now
		fi
		line=$((line + 1))
	done
	sed -E -f "$tmp/script" "$2" >"$tmp/mutant" || complain "$1 is no script"
	! cmp -s "$before" "$tmp/mutant" ||
		complain "$1 changes nothing in $2, or its last line does not"
}

for mutation in tests/sim/mutations/*.sed tests/mutations/*.sed; do
	name=$(basename "$mutation" .sed)
	for file in $(sed -n 's/^#@ //p' "$mutation"); do
		expect_changes "$mutation" "$file"
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
