# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The package installs into a running system; what it brings is in order there.

phase_1()
{
	check "the system is up" systemctl is-system-running
	check "the package installs" dpkg -i "$here/lcfs.deb"
	check "lcfs runs" lcfs --version
	check "systemd-analyze verify lcfs@.service" \
		systemd-analyze verify --man=no lcfs@mnt-lc.service
	lacks . "... and says nothing" systemd-analyze verify --man=no lcfs@mnt-lc.service
	says lcfs "systemd knows the unit" systemctl cat lcfs@mnt-lc.service
	says 61-lcfs "udev has the rule" ls /lib/udev/rules.d
	lacks lcfs "nothing of lcfs has been started" \
		systemctl list-units --plain --no-legend 'lcfs@*'
	check "debsums of the package" dpkg --verify lcfs
	check "the package is removed" dpkg --purge lcfs
	lacks . "... wholly" find / -xdev -name '*lcfs*' ! -path '/proc/*' ! -path '/sys/*' \
		! -path '/var/tmp/*' ! -path '/run/*' ! -path '*lcfs-test*' ! -path '/var/log/*' \
		! -path '/sys*'
	check "the package installs again" dpkg -i "$here/lcfs.deb"
	sync
}
