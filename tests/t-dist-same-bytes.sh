#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make dist makes the same bytes, whoever makes it, where and when.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

make=${MAKE:-make}
export XZ_OPT=-0 SOURCE_DATE_EPOCH=86400
name=lcfs-same-$$

# dist FILE: a tarball of its own, beside other tests that build.
dist()
{
	cleanup_fn remove_dist
	(unset MAKEFLAGS MFLAGS MAKELEVEL
	cd "$top_builddir" && $make -s dist "distdir=$name") >"$tmp/out" 2>&1 ||
		{ tail -n 20 "$tmp/out"; fail "make dist"; }
	mv "$top_builddir/$name.tar.xz" "$1"
}

remove_dist()
{
	rm -rf "${top_builddir:?}/$name" "$top_builddir/$name.tar.xz"
}

umask 022
(dist "$tmp/one.tar.xz")
umask 077
(export LC_ALL=C.UTF-8 TZ=Pacific/Auckland; dist "$tmp/two.tar.xz")
same "$tmp/one.tar.xz" "$tmp/two.tar.xz"

# Whose it is and when is not from here.
xz -dc "$tmp/one.tar.xz" | TZ=UTC tar -tv >"$tmp/list"
[ "$(wc -l <"$tmp/list")" -gt 300 ] || fail "$(wc -l <"$tmp/list") files"
! grep -v ' 0/0 \| root/root ' "$tmp/list" || fail "an owner"
[ "$(awk '{ print $4, $5 }' "$tmp/list" | sort -u)" = '1970-01-02 00:00' ] ||
	fail "times other than SOURCE_DATE_EPOCH"
! grep -v '^\(drwxr-xr-x\|-rwxr-xr-x\|-rw-r--r--\) ' "$tmp/list" || fail "modes"
