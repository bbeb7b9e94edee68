#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make_golden makes the committed golden images again, byte for byte.
set -eu

: "${top_srcdir:=.}" "${top_builddir:=.}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$top_builddir/tests/golden/make_golden" "$dir"
diff -r "$dir" "$top_srcdir/tests/golden/v1"
