#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.lcfs: wrong usage ends with status 2, one line that says what is wrong, and makes nothing.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

truncate -s 64M "$tmp/file"
refused 2 'which device or file' "$MKFS"
refused 2 'one device or file at a time' "$MKFS" "$tmp/file" "$tmp/other"
refused 2 "'14' is out of range" "$MKFS" --segment-order=14 "$tmp/file"
refused 2 "'4' is out of range" "$MKFS" --segment-order=4 "$tmp/file"
refused 2 "'x' is no number" "$MKFS" --segment-order=x "$tmp/file"
refused 2 "'10Q' is no number" "$MKFS" --size=10Q "$tmp/file"
refused 2 "'0' is out of range" "$MKFS" --size=0 "$tmp/file"
refused 2 'is no UUID' "$MKFS" --uuid=1234 "$tmp/file"
refused 2 'has 65 bytes, at most 64' "$MKFS" --label="$(printf %065d 0)" "$tmp/file"
refused 2 'control character' "$MKFS" --label="$(printf 'a\tb')" "$tmp/file"
refused 2 'frobnicate' "$MKFS" --frobnicate "$tmp/file"
cmp -n 67108864 "$tmp/file" /dev/zero || fail "something was written"

works "$MKFS" --help
for word in --force --nodiscard --label --segment-order --size --uuid --quiet --version; do
	grep -q -e "$word" "$tmp/out" || fail "--help does not have $word"
	grep -q -e "Fl .*${word#--}" "$top_srcdir/man/mkfs.lcfs.8" ||
		fail "mkfs.lcfs(8) does not have $word"
done
works "$MKFS" --version
grep -q '^mkfs.lcfs ' "$tmp/out" || fail "--version says: $(cat "$tmp/out")"
refused 2 'give a number from 5 to 13' "$MKFS" --segment-order=3 --size=64M "$tmp/new"
