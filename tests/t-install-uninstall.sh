#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make install puts everything below DESTDIR, and make uninstall takes all of it away again.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

root=$tmp/root
make=${MAKE:-make}

makes()
{
	(unset MAKEFLAGS MFLAGS MAKELEVEL; cd "$top_builddir" && $make -s "$@") >"$tmp/out" 2>&1 ||
		{ tail -n 20 "$tmp/out"; fail "make $*"; }
}

installed()
{
	(cd "$root" && find . ! -type d | sed 's/^\.//' | LC_ALL=C sort)
}

makes install "DESTDIR=$root"
installed >"$tmp/list"
for name in 'bin/lcfs' 'sbin/mkfs\.lcfs' 'sbin/mount\.lcfs' 'sbin/mount\.fuse\.lcfs' \
	'lib/systemd/system/lcfs@\.service' 'lib/udev/lcfs-id' 'lib/udev/rules\.d/61-lcfs\.rules' \
	'share/bash-completion/completions/lcfs' 'share/bash-completion/completions/mkfs\.lcfs' \
	'share/doc/lcfs/lcfs\.conf\.example' 'share/doc/lcfs/README\.md'; do
	grep -q "/$name\$" "$tmp/list" || { cat "$tmp/list"; fail "$name is not installed"; }
done

# Each page of the manual, and nothing that is for tests.
for page in "$top_srcdir"/man/*.[1-8]; do
	grep -q "/man/man[1-8]/${page##*/}\$" "$tmp/list" || fail "${page##*/} is not installed"
done
! grep -E '\.(la|a|h)$|/(check|t)[-_]|verifier' "$tmp/list" || fail "that is not to be installed"

# Links lead where their file will be: into the installation, or beside them.
find "$root" -type l | while read -r link; do
	target=$(readlink "$link")
	case $target in
	/*) target=$root$target ;;
	*) target=${link%/*}/$target ;;
	esac
	[ -e "$target" ] || { echo "$link leads nowhere"; exit 1; }
done || fail "a link"

# It runs from there, and the service starts what is there.
program=$(grep '/bin/lcfs$' "$tmp/list")
works "$root$program" --version
grep -qx "ExecStart=$program -f %f" "$root$(grep '\.service$' "$tmp/list")" ||
	fail "the service starts something else"

# A second time over it changes nothing.
makes install "DESTDIR=$root"
installed | cmp - "$tmp/list" || fail "a second make install differs"

makes uninstall "DESTDIR=$root"
installed >"$tmp/left"
[ ! -s "$tmp/left" ] || { cat "$tmp/left"; fail "left by make uninstall"; }
