#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcfs-id knows a cache by either copy of its super block, and nothing else; what it prints cannot
# hurt udev's database, whatever the label is.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

ID=$top_builddir/lcfs/tools/lcfs-id
uuid=01234567-89ab-cdef-0123-456789abcdef

new_cache "$tmp/cache" --uuid=$uuid --label=fast
works "$ID" "$tmp/cache"
cat >"$tmp/expected" <<EOF
ID_FS_TYPE=lcfs
ID_FS_USAGE=other
ID_FS_UUID=$uuid
ID_FS_UUID_ENC=$uuid
ID_FS_LABEL=fast
ID_FS_LABEL_ENC=fast
EOF
same "$tmp/out" "$tmp/expected"

# One copy is enough, none is not.
dd if=/dev/zero of="$tmp/cache" bs=4096 count=1 conv=notrunc 2>/dev/null
works "$ID" "$tmp/cache"
same "$tmp/out" "$tmp/expected"
dd if=/dev/zero of="$tmp/cache" bs=4096 count=1 seek=256 conv=notrunc 2>/dev/null
run "$ID" "$tmp/cache"
[ "$status" = 1 ] || fail "no super block: status $status"
[ ! -s "$tmp/out" ] || fail "says: $(cat "$tmp/out")"
[ ! -s "$tmp/err" ] || fail "complains: $(cat "$tmp/err")"

# A label that has what it may have.
new_cache "$tmp/odd" --label='a b/$"é='
works "$ID" "$tmp/odd"
grep -qxF 'ID_FS_LABEL=a_b/$"é=' "$tmp/out" || fail "$(cat "$tmp/out")"
grep -qxF 'ID_FS_LABEL_ENC=a\x20b\x2f\x24\x22é=' "$tmp/out" || fail "$(cat "$tmp/out")"
[ "$(wc -l <"$tmp/out")" = 6 ] || fail "$(cat "$tmp/out")"

# Without one there is no word about it.
new_cache "$tmp/plain"
works "$ID" "$tmp/plain"
! grep -q LABEL "$tmp/out" || fail "a label: $(cat "$tmp/out")"

# What cannot be read, what is empty, what has no end.
run "$ID" "$tmp/nothing"
[ "$status" = 2 ] || fail "nothing: status $status"
: >"$tmp/empty"
run "$ID" "$tmp/empty"
[ "$status" = 1 ] || fail "an empty file: status $status"
run "$ID" /dev/zero
[ "$status" = 1 ] || fail "/dev/zero: status $status"
run "$ID"
[ "$status" = 3 ] || fail "no argument: status $status"
