#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each option of lcfs is in lcfs(8), in lcfs.conf(5), in lcfs --help and in lcfs --list-options.
set -eu

: "${top_srcdir:?is set by make check}" "${top_builddir:?is set by make check}"
page=$top_srcdir/man/lcfs.8
conf=$top_srcdir/man/lcfs.conf.5
failed=0

options=$(sed -n 's/^OPTION(OPT_[A-Z_]*, \([a-z_]*\),.*/\1/p' "$top_srcdir/lcfs/options.def")
knobs=$(sed -n 's/^KNOB(KNOB_[A-Z_]*, \([a-z_]*\),.*/\1/p' "$top_srcdir/lcfs/ctl/knobs.def")
"$top_builddir/lcfs/lcfs" --help >/dev/null || { echo "FAIL: lcfs --help"; exit 1; }
help=$("$top_builddir/lcfs/lcfs" --help)
listed=$("$top_builddir/lcfs/lcfs" --list-options | cut -f 1)

# The lists must not be empty because a pattern above no longer fits.
[ "$(echo "$options" | wc -w)" -ge 10 ] || { echo "FAIL: options found: $options"; failed=1; }
[ "$(echo "$knobs" | wc -w)" -ge 8 ] || { echo "FAIL: knobs found: $knobs"; failed=1; }

for name in $options $knobs; do
	grep -Eq "^\.It .*Cm ($name|.*[, ]$name)(=|,| |\$)" "$page" ||
		{ echo "FAIL: $name is not in lcfs(8)"; failed=1; }
	echo "$help" | grep -Eq "^  (\[no\])?$name(=| )" ||
		{ echo "FAIL: $name is not in lcfs --help"; failed=1; }
	grep -Eq "^\.(It )?Cm (.* )?$name( |\$)" "$conf" ||
		{ echo "FAIL: $name is not in lcfs.conf(5)"; failed=1; }
	echo "$listed" | grep -qx "$name" ||
		{ echo "FAIL: $name is not in lcfs --list-options"; failed=1; }
done

# And no manual of options that are not there.
for name in $(sed -n 's/^\.It Cm \([a-z_]*\).*/\1/p' "$page"); do
	echo "$options" "$knobs" | grep -qw "$name" ||
		{ echo "FAIL: lcfs(8) has $name, which is no option"; failed=1; }
done
for name in $(sed -n 's/^\.It Cm \(.*\)/\1/p' "$conf" | tr -d ,); do
	echo "$listed" | grep -qx "$name" ||
		{ echo "FAIL: lcfs.conf(5) has $name, which is no option"; failed=1; }
done
exit $failed
