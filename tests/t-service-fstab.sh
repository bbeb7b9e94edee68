#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The fstab lines of the manual are what systemd takes them for: after the directory's own mount,
# with time for a recovery, and after the network where they say so.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

generator=
for dir in /usr/lib /lib; do
	[ ! -x $dir/systemd/system-generators/systemd-fstab-generator ] ||
		generator=$dir/systemd/system-generators/systemd-fstab-generator
done
[ -n "$generator" ] || skip "systemd's fstab generator is not installed"

# generate LINE: the unit goes to $unit.
generate()
{
	rm -rf "$tmp/units" "$tmp/early" "$tmp/late"
	mkdir "$tmp/units" "$tmp/early" "$tmp/late"
	echo "$1" >"$tmp/fstab"
	SYSTEMD_FSTAB=$tmp/fstab SYSTEMD_PROC_CMDLINE='' works "$generator" \
		"$tmp/units" "$tmp/early" "$tmp/late"
	unit=$tmp/units/mnt-lc.mount
	[ -e "$unit" ] || skip "this generator does not read SYSTEMD_FSTAB"
}

has()
{
	grep -qxF -e "$1" "$unit" || { cat "$unit"; fail "no $1"; }
}

line=$(sed -n 's|^\(/srv/images /mnt/lc lcfs .*\)|\1|p' "$top_srcdir/man/lcfs.8" | head -n 1)
[ -n "$line" ] || fail "lcfs(8) has no line for fstab"
generate "$line"
has 'What=/srv/images'
has 'Where=/mnt/lc'
has 'Type=lcfs'
has 'RequiresMountsFor=/srv/images'
has 'TimeoutSec=10min'
grep -q '^Options=.*cache=/dev/disk/by-id/nvme-XYZ-part3,nofail' "$unit" || fail "$(cat "$unit")"
[ -L "$tmp/units/local-fs.target.wants/mnt-lc.mount" ] || fail "local-fs.target does not want it"

generate "$(echo "$line" | sed 's/nofail/nofail,_netdev/')"
[ -L "$tmp/units/remote-fs.target.wants/mnt-lc.mount" ] || fail "remote-fs.target does not want it"

line=$(sed -n 's|^\(none /mnt/lc lcfs .*\)|\1|p' "$top_srcdir/man/lcfs.conf.5" | head -n 1)
[ -n "$line" ] || fail "lcfs.conf(5) has no line for fstab"
generate "$line"
has 'What=none'
has 'RequiresMountsFor=/srv/images'
