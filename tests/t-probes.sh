#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The probe points that the scripts in scripts/trace/ use are in the program, with the arguments
# that they use, and the numbers in them mean what they say.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires readelf
program=$top_builddir/lcfs/lcfs
[ ! -x "$top_builddir/lcfs/.libs/lcfs" ] || program=$top_builddir/lcfs/.libs/lcfs
readelf -n "$program" >"$tmp/notes"
grep -q 'Provider: lcfs' "$tmp/notes" || skip "built without sys/sdt.h"

# arguments PROBE: how many
arguments()
{
	sed -n "/Name: $1\$/,/Arguments:/s/.*Arguments: //p" "$tmp/notes" | head -n 1 | wc -w
}

for script in "$top_srcdir"/scripts/trace/*.bt; do
	for probe in $(sed -n 's/^usdt:.*:lcfs:\([a-z_]*\)$/\1/p' "$script" | sort -u); do
		grep -q "Name: $probe\$" "$tmp/notes" || fail "$script: there is no probe $probe"
		sed "/^usdt:.*:lcfs:$probe\$/,/^}/!d" "$script" >"$tmp/uses"
		most=$(grep -o 'arg[0-9]' "$tmp/uses" | sort -u | tail -n 1 | tr -d arg)
		[ "$most" -lt "$(arguments "$probe")" ] ||
			fail "$script: $probe has $(arguments "$probe") arguments, not arg$most"
	done
done

# The place of each name in its enum.
place()
{
	sed -n "/^enum $1 {/,/^}/s/^\t\([A-Z_]*\),*\( .*\)*\$/\1/p" "$top_srcdir/$2" |
		grep -nx "$3" | cut -d : -f 1
}

means()
{
	number=$(($(place "$1" "$2" "$3") - 1))
	grep -q "@name\[$number\] = \"$4\"" "$top_srcdir/scripts/trace/$5" ||
		fail "$5: $number is $3, not $4"
}

for pair in 'LOG_WRITE=log write' 'FLUSH=flush of the cache device' 'DEV_READ=cache device read' \
	'BACK_READ=backing file read' 'BACK_WRITE=backing file write' \
	'BACK_CHECK=backing file check' 'BACK_GROW=backing file grow' \
	'BACK_TRUNCATE=backing file truncate' 'BACK_PUNCH=backing file punch' \
	'BACK_SYNC=backing file sync'; do
	means action_type lcfs/cache/action.h "ACTION_${pair%%=*}" "${pair#*=}" lcfs-store.bt
done
for pair in READ=read WRITE=write SYNC=sync; do
	means image_io_kind lcfs/image/image.h "IMAGE_${pair%%=*}" "${pair#*=}" lcfs-requests.bt
done
