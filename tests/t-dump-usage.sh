#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# dump.lcfs and fsck.lcfs: wrong usage and what is no cache are refused with one line; each option
# is in the manual.
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/offline_lib.sh"
set -eu

new_cache "$tmp/cache"
truncate -s 64M "$tmp/empty"
head -c 10000 /dev/zero >"$tmp/tiny"
random_file "$tmp/noise" 64000000 1

refused 2 'which cache' "$DUMP"
refused 2 'one cache at a time' "$DUMP" "$tmp/cache" "$tmp/empty"
refused 2 "'x' is no number" "$DUMP" --records=x "$tmp/cache"
refused 2 "'0' is no number" "$DUMP" -r0 "$tmp/cache"
refused 2 'not IMAGE:BLOCK' "$DUMP" --block=1 "$tmp/cache"
refused 2 'not IMAGE:BLOCK' "$DUMP" --block=:1 "$tmp/cache"
refused 2 'not IMAGE:BLOCK' "$DUMP" --block=1:-1 "$tmp/cache"
refused 2 'only with --block' "$DUMP" --output=x "$tmp/cache"
refused 2 frobnicate "$DUMP" --frobnicate "$tmp/cache"

refused 16 'which cache' "$FSCK"
refused 16 'one cache at a time' "$FSCK" "$tmp/cache" "$tmp/empty"
refused 16 'only one of' "$FSCK" -n -y "$tmp/cache"
refused 16 'no descriptor' "$FSCK" -Cx "$tmp/cache"
refused 16 'descriptor 99' "$FSCK" -C99 "$tmp/cache"
refused 16 "'Q'" "$FSCK" -Q "$tmp/cache"

for what in empty tiny noise; do
	refused 1 'no lcfs cache here' "$DUMP" "$tmp/$what"
	refused 8 'no lcfs cache here' "$FSCK" -y "$tmp/$what"
done
for tool in "$DUMP" "$FSCK"; do
	run "$tool" "$tmp/nothing"
	grep -q 'No such file' "$tmp/err" || fail "$tool says: $(cat "$tmp/err")"
	run "$tool" /dev/null
	grep -q 'not a block device or regular file' "$tmp/err" || fail "$tool: $(cat "$tmp/err")"
	run "$tool" UUID=01234567-89ab-cdef-0123-456789abcdef
	grep -q 'no block device holds' "$tmp/err" || fail "$tool: $(cat "$tmp/err")"
done

# in_manual TOOL: each option that --help shows is in the page.
in_manual()
{
	works "$top_builddir/lcfs/tools/$1" -h
	grep -oE '^ +(-[a-zA-Z], )*-{1,2}[a-zA-Z]+' "$tmp/out" | tr -d ' ' | tr ',' '\n' |
		sed 's/^-//' >"$tmp/options"
	[ "$(wc -l <"$tmp/options")" -gt 6 ] || fail "$1 -h shows no options"
	while read -r option; do
		grep -qE -e "Fl (.* , )?$option( |$)|^\.It Fl .*[ ,]$option( |$)" \
			"$top_srcdir/man/$1.8" || fail "$1(8) does not have -$option"
	done <"$tmp/options"
	works "$top_builddir/lcfs/tools/$1" -V
	grep -q "^$1 " "$tmp/out" || fail "$1 -V says: $(cat "$tmp/out")"
}
in_manual dump.lcfs
in_manual fsck.lcfs
