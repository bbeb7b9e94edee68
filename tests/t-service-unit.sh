#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcfs@.service is in order for systemd, starts what is installed, on the mount point that its
# instance names, and clears away a mount whose daemon was killed, and only such a one.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

requires systemd-analyze systemd-escape
make=${MAKE:-make}
unit=$top_builddir/systemd/lcfs@.service
(unset MAKEFLAGS MFLAGS MAKELEVEL; cd "$top_builddir" && $make -s systemd/lcfs@.service) \
	>/dev/null || fail "make systemd/lcfs@.service"

# Its programs are where they will be installed, which is not now.
[ "$(systemd-escape --path --template=lcfs@.service /mnt/lc)" = lcfs@mnt-lc.service ] ||
	fail "systemd-escape"
sed "s|^ExecStart=.*/lcfs |ExecStart=$LCFS |" "$unit" >"$tmp/lcfs@.service"
grep -q "^ExecStart=$LCFS -f %f\$" "$tmp/lcfs@.service" || fail "$(grep ExecStart= "$unit")"
cp "$tmp/lcfs@.service" "$tmp/lcfs@mnt-lc.service"
run systemd-analyze verify --man=no "$tmp/lcfs@mnt-lc.service"
if grep -q "$tmp\|lcfs@" "$tmp/err"; then
	cat "$tmp/err"
	fail "systemd does not like the unit"
fi

# The mount must be seen outside: nothing that gives the service a mount namespace.
namespace='Private[A-Za-z]*|Protect[A-Za-z]*|[A-Za-z]*Paths|TemporaryFileSystem|RootDirectory'
! grep -E "^($namespace|DynamicUser|RuntimeDirectory)=" "$unit" ||
	fail "the mount would be seen by the service alone"

# What it does before the start.
requires_fuse
clear_away()
{
	command=$(sed -n "s|^ExecStartPre=-/bin/sh -c '\(.*\)' sh %f\$|\1|p" "$unit" |
		sed 's/\$\$/$/g')
	[ -n "$command" ] || fail "no ExecStartPre"
	sh -c "$command" sh "$1" || :
}
mkdir "$tmp/dir" "$tmp/mnt"
new_cache "$tmp/cache"
mount_lcfs "$tmp/cache" "$tmp/dir" "$tmp/mnt"
clear_away "$tmp/mnt"
is_mounted "$tmp/mnt" || fail "a mount that serves is unmounted"
pid=$(daemon_of "$tmp/mnt")
kill -9 "$pid"
eventually 10 is_gone "$pid"
is_mounted "$tmp/mnt" || fail "the dead mount has gone by itself"
clear_away "$tmp/mnt"
! is_mounted "$tmp/mnt" || fail "the dead mount stays"
clear_away "$tmp/mnt"
