#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl get and set: knobs of the mount, of caches and of images, by name; wrong ones are refused
# with one line and change nothing.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
requires python3
alone "$0"
standard_mount allow_migrate=0
echo hello >"$mnt/a.img"

matches "cache 1${tab}allow_migrate${tab}0" "$LCCTL" get -H allow_migrate
works "$LCCTL" set allow_migrate 1
[ "$(knob "$mnt" allow_migrate)" = 1 ] || fail "set does nothing"
works "$LCCTL" set allow_migrate=0
[ "$(knob "$mnt" allow_migrate)" = 0 ] || fail "set with = does nothing"
works "$LCCTL" set --cache 1 migrate_threshold 55
[ "$(knob "$mnt" migrate_threshold)" = 55 ] || fail "set --cache does nothing"
matches "image a.img${tab}size${tab}6" "$LCCTL" get -H -i a.img size
matches "mount${tab}version${tab}.*" "$LCCTL" get -H version
works "$LCCTL" get -H
for knob in version allow_migrate migrate_threshold state device nr_dirty_caches; do
	grep -q "$tab$knob$tab" "$tmp/out" || fail "get does not list $knob"
done
! grep -q "${tab}stat$tab" "$tmp/out" || fail "get lists what has many lines"
works "$LCCTL" get stat
[ "$(wc -l <"$tmp/out")" -ge 16 ] || fail "stat: $(cat "$tmp/out")"
works "$LCCTL" get --json -i a.img
python3 -c 'import json, sys
knobs = {k["knob"]: k["value"] for k in json.load(sys.stdin)["knobs"]}
assert knobs["name"] == "a.img" and knobs["size"] == "6", knobs' <"$tmp/out" || fail "get --json"

refused 1 "'2' is not taken: the value is out of range" "$LCCTL" set allow_migrate 2
refused 1 "'x' is not taken: the value is not of the form" "$LCCTL" set allow_migrate x
refused 1 "'' is not taken" "$LCCTL" set allow_migrate=
refused 1 'it is not for writing' "$LCCTL" set nr_segments 1
refused 1 'no such knob' "$LCCTL" set nothing 1
refused 1 'no such knob' "$LCCTL" get nothing
refused 1 'no such knob' "$LCCTL" get -m "$mnt" ../version
refused 1 'No such file' "$LCCTL" get ../version
refused 1 'no such knob' "$LCCTL" set caches/1/allow_migrate 1
refused 1 'is a knob of images' "$LCCTL" get size
refused 1 'has no cache 7' "$LCCTL" get --cache 7
refused 1 'of which of them' "$LCCTL" get --cache 1 --image a.img
[ "$(knob "$mnt" allow_migrate)" = 0 ] || fail "a refused value is taken"
