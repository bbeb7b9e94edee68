#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# transport=uring: refused where the kernel has it switched off; everything that was acknowledged
# outlives a killed daemon, a lazy unmount and a stop under load, and nobody hangs.
# The limit has room for other tests that have the switch.
test_limit=300
. "${top_srcdir:?}/tests/functions.sh"
. "$top_srcdir/tests/uring_lib.sh"
set -eu

requires_fuse
requires shuf
seed=${LCFS_TEST_SEED:-$(date +%s)}
echo "seed $seed (LCFS_TEST_SEED)"
cleanup_fn restore_uring
allow_uring || skip "the kernel has no FUSE over io_uring"

new_cache "$tmp/cache"
mkdir "$tmp/dir" "$tmp/mnt"
forbid_uring
refused 1 "transport=uring: FUSE over io_uring is switched off in the kernel: switch it on" \
	"$LCFS" -o "cache=$tmp/cache,transport=uring" "$tmp/dir" "$tmp/mnt"
! is_mounted "$tmp/mnt" || fail "refused, and mounted"
echo Y >"$uring"

standard_mount transport=uring
works cat "$mnt/.lcctl/transport"
[ "$(cat "$tmp/out")" = uring ] || fail "the transport is $(cat "$tmp/out")"
for name in a b; do
	truncate -s 16M "$mnt/$name"
done
"$VERIFIER" init "$tmp/journal" 2 32768 "$seed"

# start_writer OPTION...: it ends with the mount.
start_writer()
{
	"$VERIFIER" write "$@" -t 20 "$tmp/journal" "$mnt/a" "$mnt/b" >"$tmp/written" 2>&1 &
	writer=$!
	# Not to wait for something: this is the random moment.
	sleep "0.$(shuf -i 100-999 -n 1)"
}

# A hang is what this is about: timeout cannot wait for a process that is not its own.
writer_ends()
{
	eventually 15 is_gone "$writer" || fail "$1: the writer hangs"
	wait "$writer" || { cat "$tmp/written"; fail "$1: the writer has failed"; }
}

nothing_is_lost()
{
	standard_mount transport=uring
	timeout 60 "$VERIFIER" check "$tmp/journal" "$mnt/a" "$mnt/b" ||
		fail "$1: something acknowledged is not there"
}

for options in '' '-d' '-u'; do
	# shellcheck disable=SC2086
	start_writer $options
	kill_lcfs "$mnt"
	writer_ends "killed ($options)"
	nothing_is_lost "killed ($options)"
done

# The first signal unmounts what is in use, lazily; the second does not wait for the users.
start_writer -d
pid=$(daemon_of "$mnt")
kill "$pid"
is_unmounted()
{
	! is_mounted "$mnt"
}
eventually 10 is_unmounted || fail "the first signal does not unmount"
is_gone "$writer" && fail "the writer has not survived a lazy unmount: $(cat "$tmp/written")"
kill "$pid"
writer_ends stopped
eventually 20 is_gone "$pid" || fail "the daemon does not end"
nothing_is_lost stopped

drain "$mnt"
umount_lcfs "$mnt"
"$VERIFIER" check "$tmp/journal" "$dir/a" "$dir/b" || fail "the plain files are not what was written"
