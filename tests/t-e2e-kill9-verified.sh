#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of the daemon at random moments while several images are written, synced and not: after
# each remount everything that was acknowledged is there, and no block is a mixture; so it is in
# the plain files after the drain.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires shuf
seed=${LCFS_TEST_SEED:-$(date +%s)}
echo "seed $seed (LCFS_TEST_SEED)"

new_cache "$tmp/cache" --size=128M
standard_mount
files=
for name in a b c; do
	truncate -s 16M "$mnt/$name"
	files="$files $mnt/$name"
done
"$VERIFIER" init "$tmp/journal" 3 32768 "$seed"

round=0
for options in '' '-d' '-u' '-d -u' '' '-d'; do
	round=$((round + 1))
	# shellcheck disable=SC2086
	"$VERIFIER" write $options -t 20 "$tmp/journal" $files >"$tmp/written" 2>&1 &
	writer=$!
	# Not to wait for something: this is the random moment.
	sleep "0.$(shuf -i 100-999 -n 1)"
	kill_lcfs "$mnt"
	wait $writer || { cat "$tmp/written"; fail "round $round: the writer has failed"; }
	standard_mount
	# shellcheck disable=SC2086
	timeout 60 "$VERIFIER" check "$tmp/journal" $files ||
		fail "round $round ($options): something acknowledged is not there"
done

drain "$mnt"
umount_lcfs "$mnt"
# shellcheck disable=SC2086
"$VERIFIER" check "$tmp/journal" "$dir/a" "$dir/b" "$dir/c" ||
	fail "the plain files are not what was written"
