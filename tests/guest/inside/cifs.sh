# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The kernel's CIFS client as backing store, with samba over the loopback interface.
. "$here/remote_lib.sh"

stop_server()
{
	run systemctl stop smbd
}

start_server()
{
	check "the server starts" systemctl start smbd
}

mount_store()
{
	umount /srv/images 2>/dev/null
	check "mount -t cifs -o $1" mount -t cifs -o "username=lc,password=secret,$1" \
		//localhost/images /srv/images
}

phase_1()
{
	prepare_store
	useradd lc
	printf 'secret\nsecret\n' | smbpasswd -s -a lc
	cat >/etc/samba/smb.conf <<-END
		[global]
		interfaces = lo
		bind interfaces only = yes
		[images]
		path = /export/images
		read only = no
		force user = root
	END
	start_server
	mount_store vers=3.1.1,hard
	main_job "cifs"
	cat $work/identity
	changed_on_server "cifs"
	renamed_on_server "cifs"
	server_hangs "cifs"
	umount /srv/images
}
