#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 while migration runs at full speed against a log that is too small for what is written,
# so that writers wait for it; and again right after the next mount. Nothing acknowledged is lost.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires_fuse
requires shuf
seed=${LCFS_TEST_SEED:-$(date +%s)}
echo "seed $seed (LCFS_TEST_SEED)"

new_cache "$tmp/cache" --size=40M
standard_mount force_migrate=1
truncate -s 32M "$mnt/a" "$mnt/b"
"$VERIFIER" init "$tmp/journal" 2 65536 "$seed"

for options in '-d' '' '-u' '-d -u'; do
	# shellcheck disable=SC2086
	"$VERIFIER" write $options -t 20 "$tmp/journal" "$mnt/a" "$mnt/b" >"$tmp/written" 2>&1 &
	writer=$!
	sleep "1.$(shuf -i 100-999 -n 1)"
	kill_lcfs "$mnt"
	wait $writer || { cat "$tmp/written"; fail "the writer has failed"; }
	standard_mount force_migrate=1
	kill_lcfs "$mnt"
	standard_mount force_migrate=1
	timeout 60 "$VERIFIER" check "$tmp/journal" "$mnt/a" "$mnt/b" ||
		fail "$options: something acknowledged is not there"
done

drain "$mnt"
umount_lcfs "$mnt"
"$VERIFIER" check "$tmp/journal" "$dir/a" "$dir/b" ||
	fail "the plain files are not what was written"
