#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A store that hangs, with everybody's requests: what the cache has is read and written, synced, and
# the control tree answers, whoever waits for the store. When it is back, all goes on.
. "${top_srcdir:?}/tests/functions.sh"
set -eu
. "$top_srcdir/tests/store_lib.sh"

requires_fuse
requires python3
store_begin
for file in a b; do
	truncate -s 1M "$mnt/$file"
	put "$mnt/$file" 0 1 16
done
eventually 20 is_clean "$mnt" || fail "not clean before it hangs"

cat >"$tmp/use.py" <<'PY'
import os, sys, time
# In its own words: go and say whether each step was done, while somebody else keeps the time.
fds = [os.open(p, os.O_RDWR | os.O_DIRECT) for p in sys.argv[2:]]
import mmap
buf = mmap.mmap(-1, 4096)
def use(fd, n):
	buf[:] = bytes([n]) * 4096
	os.pwrite(fd, buf, 4096 * (n % 16))
	os.fdatasync(fd)
	os.preadv(fd, [buf], 4096 * (n % 16))
	assert buf[:] == bytes([n]) * 4096
for fd in fds:
	use(fd, 1)
print("ready", flush=True)
n = 2
while not os.path.exists(sys.argv[1] + "/stop"):
	for fd in fds:
		use(fd, n % 200)
	n += 1
	with open(sys.argv[1] + "/rounds.new", "w") as f:
		f.write(str(n))
	os.rename(sys.argv[1] + "/rounds.new", sys.argv[1] + "/rounds")
	time.sleep(0.02)
PY
python3 "$tmp/use.py" "$tmp" "$mnt/a" "$mnt/b" >"$tmp/used" 2>&1 &
user=$!
cleanup_fn end_process "$user"
eventually 20 test -s "$tmp/rounds" || fail "the user does not start: $(cat "$tmp/used")"

fault "all * hang"
# More than there are threads for files, and who looks for what the kernel does not know.
waiting=
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	stat "$mnt/nothing$n" >/dev/null 2>&1 &
	waiting="$waiting $!"
done
eventually 10 is_hanging || fail "nothing hangs"
rounds=$(cat "$tmp/rounds")
# Within five seconds each, though whoever asks the root for its attributes waits a second once.
for what in status metrics stats.json caches/1/state caches/1/nr_dirty_caches; do
	timeout -s KILL 5 cat "$mnt/.lcctl/$what" >/dev/null || fail "$what hangs"
done
for verb in "status $mnt" "list -m $mnt" "get -m $mnt" "flush $mnt"; do
	# shellcheck disable=SC2086 # words
	timeout -s KILL 5 "$LCCTL" $verb >/dev/null || fail "lcctl $verb hangs"
done
timeout -s KILL 5 sh -c 'echo 77 >"$1/.lcctl/caches/1/migrate_threshold"' sh "$mnt" ||
	fail "a knob hangs"
timeout -s KILL 5 sh -c 'cat "$1"/.lcctl/devices/*/state' sh "$mnt" >/dev/null ||
	fail "the state of images hangs"
# Longer than an image stays ready without writes.
more_rounds()
{
	[ "$(cat "$tmp/rounds")" -gt $((rounds + 100)) ]
}
eventually 20 more_rounds || fail "cached reads and writes stop: $(cat "$tmp/used")"

fault clear
for pid in $waiting; do
	wait "$pid" || :
done
touch "$tmp/stop"
wait "$user" || fail "the user ends badly: $(cat "$tmp/used")"
eventually 30 is_clean "$mnt" || fail "migration does not go on"
timeout 20 cmp "$mnt/a" "$tmp/real/a" || fail "a differs"
timeout 20 cmp "$mnt/b" "$tmp/real/b" || fail "b differs"
umount_lcfs "$mnt"
