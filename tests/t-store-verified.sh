#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A store where everything fails now and then, and that forgets what was not synced: a verified load
# never sees it, and in the end the store has what was written.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
store_begin -u --size=256M
truncate -s 16M "$mnt/a" "$mnt/b"
"$VERIFIER" init "$tmp/journal" 2 32768 "${STORE_SEED:-7}"
"$VERIFIER" write -d -s -t 1 "$tmp/journal" "$mnt/a" "$mnt/b" || fail "the writer fails without errors"

# Each now and then, with more and more requests between.
for after in 20 300 900 2000 5000 10000 20000; do
	fault "write ? EIO after=$after times=1"
	fault "write ? ENOSPC after=$((after * 2)) times=1"
done
for after in 1 3 6 10 20 40; do
	fault "fsync ? EIO after=$after times=1 lose"
	fault "fsync ? ETIMEDOUT after=$((after + 1)) times=1"
done
fault "truncate ? EDQUOT percent=20"
fault "write ? ok percent=2 delay=5"
"$VERIFIER" write -d -s -t "${STORE_SECONDS:-4}" "$tmp/journal" "$mnt/a" "$mnt/b" ||
	fail "the writer has seen an error"
"$VERIFIER" check -d "$tmp/journal" "$mnt/a" "$mnt/b" || fail "wrong data while the store fails"
[ "$(metric lcfs_migrate_errors_total)" -gt 0 ] || fail "nothing has failed"

# Unmounted in the midst of it, and mounted again.
umount_lcfs "$mnt"
mount_with_log "$tmp/cache" "$store" "$mnt"
"$VERIFIER" check -d "$tmp/journal" "$mnt/a" "$mnt/b" || fail "wrong data after a remount"
fault clear
drain "$mnt"
fault lose
"$VERIFIER" check "$tmp/journal" "$tmp/real/a" "$tmp/real/b" || fail "wrong data in the store"
umount_lcfs "$mnt"
