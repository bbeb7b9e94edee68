# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the tests of the offline tools share; after functions.sh.

DUMP=$top_builddir/lcfs/tools/dump.lcfs
FSCK=$top_builddir/lcfs/tools/fsck.lcfs
OFFLINE=$top_builddir/lcfs/tools/lcctl

# commit MNT: all that was written is durable, and the super block says so.
commit()
{
	sync "$1"/* || fail "$1: cannot be synced"
	written=$("$DUMP" "$cache" 2>/dev/null |
		awk '$1 == "generation" && $2 > n { n = $2 } END { print n }')
	set_knob "$1" commit_super_block 1
	eventually 10 is_newer "$written" || fail "the super block is not written"
}

is_newer()
{
	"$DUMP" "$cache" 2>/dev/null | awk -v old="$1" '
		$1 == "generation" && $2 > old { n++ } END { exit n < 2 }'
}

# dirty_cache [OPTION,...]: three images in $cache that are nowhere else, known to be durable; what
# is in them is in $tmp/one, $tmp/two and $tmp/short; mounted on $mnt.
dirty_cache()
{
	[ -e "$tmp/cache" ] || new_cache "$tmp/cache" --size=32M
	standard_mount "allow_migrate=0${1:+,$1}"
	random_file "$tmp/one" 3000000 1
	random_file "$tmp/two" 123457 2
	cp "$tmp/one" "$mnt/one"
	mkdir "$mnt/sub"
	cp "$tmp/two" "$mnt/sub/two words"
	cp "$tmp/one" "$mnt/short"
	truncate -s 100001 "$mnt/short"
	head -c 100001 "$tmp/one" >"$tmp/short"
	sync "$mnt/sub/two words"
	commit "$mnt"
}

# kill_dirty MNT: kill -9; what it leaves in RAM goes away with the test. Its path goes to $pool.
kill_dirty()
{
	kill_lcfs "$1"
	pool=$(fact ram_buffers)
	[ -f "$pool" ] || fail "$pool: there are no RAM buffers"
	cleanup_fn rm -f "$pool"
}

# check_three WHERE
check_three()
{
	same "$1/one" "$tmp/one"
	same "$1/sub/two words" "$tmp/two"
	same "$1/short" "$tmp/short"
}

# remember: the cache as it is now; unchanged: not a byte of it differs.
remember()
{
	sha256sum "$cache" >"$tmp/sum"
}

unchanged()
{
	sha256sum --status -c "$tmp/sum" || fail "the cache was changed by: $*"
}

# flip FILE OFFSET: one byte.
flip()
{
	old=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $((old ^ 255)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# byte_of IMAGE BLOCK: where the newest version of the block stands in the cache.
byte_of()
{
	"$DUMP" --block="$1:$2" "$cache" 2>/dev/null | sed -n 's/^ *version .* at=\([0-9]*\) .*/\1/p' |
		tail -n 1
}

# table_area: where the current image table stands.
table_area()
{
	"$DUMP" "$cache" 2>/dev/null |
		sed -n 's/.*area=[01] start=\([0-9]*\) .*is_current=yes.*/\1/p' | head -n 1
}

# fact NAME: the first of that name that dump.lcfs prints with the options given.
fact()
{
	name=$1
	shift
	"$DUMP" "$@" "$cache" 2>/dev/null | awk -v name="$name" '$1 == name { print $2; exit }'
}

# gives STATUS COMMAND...: its exit status.
gives()
{
	want=$1
	shift
	run "$@"
	[ "$status" = "$want" ] && return
	cat "$tmp/out" "$tmp/err"
	fail "exit status $status, not $want: $*"
}

# says TEXT: the last command run, on standard output.
says()
{
	grep -qF -e "$1" "$tmp/out" && return
	cat "$tmp/out" "$tmp/err"
	fail "does not say '$1'"
}
