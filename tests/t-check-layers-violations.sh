#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check-layers accepts what the table allows, and names each kind of violation with file and line.
set -eu

: "${top_srcdir:?is set by make check}"
checker=$top_srcdir/scripts/check-layers
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# A tree with one file, PATH, whose second line is LINE.
tree_with()
{
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/common" "$tmp/tree/lcfs" "$tmp/tree/tests" "$tmp/tree/scripts"
	cp "$top_srcdir/scripts/layers" "$tmp/tree/scripts/"
	mkdir -p "$tmp/tree/${1%/*}"
	printf '/* first */\n%s\n' "$2" >"$tmp/tree/$1"
}

run()
{
	status=0
	"$checker" "$tmp/tree" >"$tmp/out" 2>&1 || status=$?
}

accepts()
{
	tree_with "$1" "$2"
	run
	[ $status = 0 ] && return
	echo "FAIL: $1 with '$2' is refused:"
	cat "$tmp/out"
	failed=1
}

# refuses PATH LINE TEXT: exit 1 and a line "PATH:2: ...TEXT..."
refuses()
{
	tree_with "$1" "$2"
	run
	if [ $status != 1 ] || ! grep -F "$1:2: " "$tmp/out" | grep -qF "$3"; then
		echo "FAIL: $1 with '$2' gives exit status $status, not 1 with '$3':"
		cat "$tmp/out"
		failed=1
	fi
}

accepts lcfs/cache/a.c '#include "common/list.h"'
accepts lcfs/cache/a.c '#include "lcfs/cache/b.h"'
accepts lcfs/cache/a.c '#include "lcfs/io/blkdev.h"'
accepts lcfs/cache/a.c '#include <sys/uio.h>'
accepts lcfs/cache/a.c '	conf->random(conf->arg);'
accepts lcfs/cache/a.c ' * calls pthread_create() later'
accepts lcfs/io/a.c '#include <liburing.h>'
accepts lcfs/fuse/a.c '#include <fuse_lowlevel.h>'
accepts lcfs/a.c '#include <iniparser/iniparser.h>'
accepts lcfs/a.c '#include "config.h"'
accepts tests/sim/a.c '#include "tests/fake/b.h"'
accepts tests/a.c '#include <fuse_lowlevel.h>'

refuses common/a.h '#include "lcfs/ondisk/codec.h"' 'common (layer 0) includes'
refuses lcfs/cache/a.c '#include "lcfs/image/b.h"' 'lcfs/cache (layer 2) includes'
refuses lcfs/cache/a.c '  #  include   "lcfs/fuse/b.h"' 'of lcfs/fuse (layer 5)'
refuses lcfs/io/a.c '#include "lcfs/ondisk/b.h"' 'lcfs/io (layer 1) includes'
refuses lcfs/ondisk/a.c '#include "lcfs/io/b.h"' 'lcfs/ondisk (layer 1) includes'
refuses lcfs/a.c '#include "tests/fake/b.h"' 'of tests/* (layer 9)'
refuses lcfs/cache/a.c '#include "b.h"' 'not written from the top'
refuses lcfs/cache/a.c '#include "lcfs/other/b.h"' 'its folder has no layer'
refuses lcfs/cache/a.c '#include "config.h"' 'is for lcfs and lcfs/tools only'
refuses lcfs/image/a.c '#include <fuse_lowlevel.h>' 'is for lcfs/fuse only'
refuses lcfs/image/a.c '#include <fuse3/fuse.h>' 'is for lcfs/fuse only'
refuses lcfs/cache/a.c '#include <liburing.h>' 'is for lcfs/io only'
refuses lcfs/fuse/a.c '#include <iniparser/iniparser.h>' 'is for lcfs only'
refuses lcfs/cache/a.c '#include <unistd.h>' 'is not for lcfs/cache'
refuses lcfs/cache/a.c '#include <sys/mman.h>' 'is not for lcfs/cache'
refuses lcfs/cache/a.c '#include "common/clock.h"' 'is not for lcfs/cache'
refuses lcfs/io/a.c '#include "common/messages.h"' 'is not for lcfs/io'
refuses lcfs/cache/a.c '	seed = random();' 'random() is not for lcfs/cache'
refuses lcfs/cache/a.c '	if (pthread_create (&t, NULL, f, NULL))' 'pthread_create() is not'
refuses lcfs/ondisk/a.c '#include <stdlib.h>' 'is not for lcfs/ondisk'

# A source file in a folder that the table does not know.
tree_with lcfs/newfolder/a.c '#include <stddef.h>'
run
[ $status = 1 ] || { echo "FAIL: a folder without a layer gives $status"; failed=1; }

# Nothing found is no proof.
rm -f "$tmp/tree/lcfs/newfolder/a.c"
run
[ $status = 2 ] || { echo "FAIL: an empty tree gives $status"; failed=1; }

exit $failed
