#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl-tree(5) names each control file, key and metric, with mode, unit, range and default, in the
# right section and in the order of the table, and none that is not there.
set -eu

: "${top_srcdir:?is set by make check}" "${top_builddir:?is set by make check}"
page=$top_srcdir/man/lcctl-tree.5
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lcfs-doc.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

"$top_builddir/tests/print_ctl_table" >"$tmp/table"
[ "$(wc -l <"$tmp/table")" -ge 80 ] || { echo "FAIL: the table is short"; exit 1; }

# The sections are .Ss ROOT, .Ss caches/ID/, and so on; other .Ss end them.
awk '
	/^\.S[sh] / { section = substr($0, 5) }
	/^\.It (Pa|Li) / { sub(/^\.It /, ""); print section ": " $0 }
' "$page" | grep -E '^(ROOT|caches/ID/|devices/ID/|NUMBERS OF AN? [A-Z]+|LATENCIES):' >"$tmp/page"

diff -u "$tmp/table" "$tmp/page" || { echo "FAIL: table (-) and lcctl-tree(5) (+) differ"; exit 1; }
