#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl status and list: what they show, for people, for scripts and as JSON, whatever a name is.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
requires python3
alone "$0"
standard_mount allow_migrate=0

"$VERIFIER" random "$tmp/data" 1000000 1
cp "$tmp/data" "$mnt/a.img"
odd=$(printf 'b"\\\n\003\377é.img')
echo hello >"$mnt/$odd"
echo never >"$dir/never.img"

matches 'mount +'"$mnt" "$LCCTL" status
matches 'source +'"$dir" "$LCCTL" status
matches 'transport +dev' "$LCCTL" status
matches 'cache 1 +'"$cache" "$LCCTL" status
matches '  state +ok' "$LCCTL" status
matches '  dirty +9[0-9]{2}K.*' "$LCCTL" status
matches '  migration held .*' "$LCCTL" status
matches 'images +2: 2 dirty' "$LCCTL" status
says 'all is well' "$LCCTL" status -x
works "$LCCTL" status -H -p
awk -F '\t' -v device="$cache" 'NF != 11 || $1 != 1 || $2 != device || $3 != "ok" ||
	$5 != 1007616 || $7 != 62 || $11 != "held" { exit 1 }' "$tmp/out" ||
	fail "status -Hp: $(cat "$tmp/out")"

# A column a value: number, state, cache, size, dirty, age, name.
works "$LCCTL" list -H -p
awk -F '\t' 'NF != 7 { exit 1 }' "$tmp/out" || fail "columns: $(cat "$tmp/out")"
matches "[0-9]+${tab}dirty${tab}1${tab}1000000${tab}1003520${tab}[^$tab]*${tab}a.img" \
	"$LCCTL" list -H -p
grep -aqF 'b"\134\012\003' "$tmp/out" || fail "an odd name: $(cat "$tmp/out")"
[ "$(wc -l <"$tmp/out")" = 2 ] || fail "not a line an image: $(cat "$tmp/out")"
works "$LCCTL" list
head -n 1 "$tmp/out" | grep -Eqx 'ID +STATE +CACHE +SIZE +DIRTY +AGE +NAME' ||
	fail "header: $(cat "$tmp/out")"
! grep -q never "$tmp/out" || fail "an image that no cache knows is listed"
matches "-${tab}uncached${tab}0${tab}6${tab}0${tab}-${tab}never.img" "$LCCTL" list -a -H -p
! grep -q '\.lcctl' "$tmp/out" || fail "the control tree is listed"

cat >"$tmp/check.py" <<'P'
import json, os, sys
status, images, odd = [json.load(open(p, 'rb')) for p in sys.argv[1:3]] + [sys.argv[3]]
cache, = status['caches']
assert cache['id'] == 1 and cache['state'] == 'ok' and cache['dirty_bytes'] == 1007616, cache
assert status['images'] == {'dirty': 2} and status['held'] == [], status
by_name = {i['name']: i for i in images['images']}
# a byte that is not UTF-8 is four characters
odd = odd.replace('\udcff', '\\xff')
assert set(by_name) == {'a.img', odd, 'never.img'}, by_name
assert by_name['a.img']['size_bytes'] == 1000000, by_name
assert by_name['never.img']['id'] is None and by_name['never.img']['state'] == 'uncached'
P
works "$LCCTL" status --json
cp "$tmp/out" "$tmp/status.json"
works "$LCCTL" list --all --json
cp "$tmp/out" "$tmp/list.json"
works env LC_ALL=C.UTF-8 python3 "$tmp/check.py" "$tmp/status.json" "$tmp/list.json" "$odd"
