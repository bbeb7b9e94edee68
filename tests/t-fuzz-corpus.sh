#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzz target runs over its committed corpus without a complaint.
set -eu

: "${top_srcdir:=.}" "${top_builddir:=.}"

for target in "$top_srcdir"/tests/fuzz/fuzz_*.c; do
	name=$(basename "$target" .c)
	name=${name#fuzz_}
	[ "$name" = main ] || [ -d "$top_srcdir/tests/fuzz/corpus/$name" ] || {
		echo "FAIL: fuzz_$name has no corpus"
		exit 1
	}
done
for corpus in "$top_srcdir"/tests/fuzz/corpus/*/; do
	name=$(basename "$corpus")
	echo "$name"
	"$top_builddir/tests/fuzz/fuzz_$name" -runs=0 "$corpus"
done
