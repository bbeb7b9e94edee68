# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# What people do with images, against the same on a FUSE passthrough to the fast disk: a loop device
# with direct I/O and without; ext4 on it with a database, with an archive unpacked and a repository
# checked out; a conversion by qemu-img. All are timed until what they wrote is safe.
. "$bench_src/disk.sh"

# apps_start SIDE: an image of holes at $apps_image, of $apps_pid.
apps_start()
{
	fresh_back "$tmp/back"
	if [ "$1" = lcfs ]; then
		format_cache
		start_lcfs "$tmp/back"
		apps_image=$tmp/mnt/image
		apps_pid=$lcfs_pid
	else
		serve "$tmp/pass" "$LOOP_MT" -p "$tmp/back/image" "$tmp/pass"
		apps_image=$tmp/pass
		apps_pid=$server
	fi
}

# apps_loop on|off: a loop device on the image.
apps_loop()
{
	loop=$(losetup -f --show --direct-io="$1" "$apps_image") || die "losetup failed"
	undo detach_loop "$loop"
}

# Waits until it is gone: it holds the image.
detach_loop()
{
	losetup -d "$1"
	eventually 10 is_detached "$1"
}

is_detached()
{
	[ ! -e "/sys/block/${1#/dev/}/loop" ]
}

apps_ext4()
{
	apps_loop on
	mkfs.ext4 -qF "$loop" || die "mkfs.ext4 failed"
	mkdir -p "$tmp/fs"
	mount -o noatime "$loop" "$tmp/fs" || die "$loop cannot be mounted"
	undo unmount "$tmp/fs"
}

# timed PAIR SIDE COMMAND...: a sample in seconds.
timed()
{
	timed_pair=$1
	timed_side=$2
	shift 2
	from=$(date +%s%N)
	client "$@" >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; die "$1 failed"; }
	until_ns=$(date +%s%N)
	sample "$apps_row" "$timed_pair" "$timed_side" "$(calc "($until_ns - $from) / 1e9")"
}

# ---------------------------------------------------------------- what is done

do_loop()
{
	apps_loop "$3"
	# Through the page cache the kernel owes the rest at the end.
	# shellcheck disable=SC2046
	measure "$apps_pid" "$loop" $(load qd32) --end_fsync=1
	sample "$apps_row" "$1" "$2" "$iops" "$cpu_server" "$cpu_client"
}

do_loop_direct()
{
	do_loop "$1" "$2" on
}

do_loop_cached()
{
	do_loop "$1" "$2" off
}

# Transactions of one row, each of which is synced.
do_sqlite()
{
	apps_ext4
	timed "$1" "$2" sqlite3 "$tmp/fs/db" ".read $tmp/apps/sql"
}

# Where there is no sqlite3 this is what its journal would do.
do_database()
{
	apps_ext4
	truncate -s 32M "$tmp/fs/db"
	# shellcheck disable=SC2046
	fio_size=32m measure "$apps_pid" "$tmp/fs/db" --bs=8k --rw=randrw --rwmixread=50 \
		--fdatasync=1 --ioengine=psync
	sample "$apps_row" "$1" "$2" "$iops" "$cpu_server" "$cpu_client"
}

do_untar()
{
	apps_ext4
	# shellcheck disable=SC2016
	timed "$1" "$2" sh -c 'tar -C "$1" -xf "$2" && sync -f "$1"' sh "$tmp/fs" "$tmp/apps/tar"
}

do_checkout()
{
	apps_ext4
	# shellcheck disable=SC2016
	timed "$1" "$2" sh -c 'git clone -q --no-hardlinks "$2" "$1/clone" && sync -f "$1"' sh \
		"$tmp/fs" "$tmp/apps/repository"
}

do_convert()
{
	timed "$1" "$2" qemu-img convert -n -t none -f qcow2 -O raw "$tmp/apps/qcow2" "$apps_image"
}

# ---------------------------------------------------------------- what is needed for it

make_tree()
{
	mkdir -p "$tmp/apps/tree"
	i=0
	while [ $i -lt "$apps_dirs" ]; do
		mkdir "$tmp/apps/tree/$i"
		# 32 files of up to 16 KiB.
		head -c 262144 /dev/urandom | split -b 8k -a 2 - "$tmp/apps/tree/$i/file-"
		i=$((i + 1))
	done
	tar -C "$tmp/apps" -cf "$tmp/apps/tar" tree
}

make_repository()
{
	git init -q "$tmp/apps/repository"
	cp -r "$tmp/apps/tree" "$tmp/apps/repository/"
	git -C "$tmp/apps/repository" add .
	git -C "$tmp/apps/repository" -c user.name=bench -c user.email=bench@localhost \
		-c commit.gpgsign=false commit -qm bench
}

make_sql()
{
	echo 'PRAGMA synchronous=FULL; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);'
	i=0
	while [ $i -lt $((apps_dirs * 4)) ]; do
		echo "INSERT INTO t (b) VALUES (hex(randomblob(200)));"
		i=$((i + 1))
	done
}

# A disk of data, half of it holes.
make_qcow2()
{
	truncate -s "${image_mb}M" "$tmp/apps/disk"
	i=0
	while [ $i -lt "$image_mb" ]; do
		dd if=/dev/urandom of="$tmp/apps/disk" bs=1M seek=$i count=4 conv=notrunc \
			2>/dev/null
		i=$((i + 8))
	done
	qemu-img convert -f raw -O qcow2 "$tmp/apps/disk" "$tmp/apps/qcow2" ||
		die "qemu-img failed"
}

# ---------------------------------------------------------------- rows

apps_lcfs()
{
	apps_start lcfs
	"do_$apps_do" "$1" lcfs
	leave_to "$apps_undo"
}

apps_pass()
{
	apps_start ref
	"do_$apps_do" "$1" ref
	leave_to "$apps_undo"
}

# apps_rows ROW DO UNIT BETTER TITLE [COMMAND PACKAGE [PREPARE]]
apps_rows()
{
	apps_row=$1
	apps_do=$2
	row "$1" "$3" "$4" - "$5 / FUSE passthrough"
	has_disk || { note "$1" "$no_disk"; return; }
	if [ -n "${6:-}" ] && ! command -v "$6" >/dev/null; then
		note "$1" "the package $7 is not installed"
		return
	fi
	"${8:-true}"
	pairwise "$1" "$few_pairs" apps_lcfs apps_pass
}

bar_apps()
{
	apps_dirs=200
	! is_long || apps_dirs=400
	! is_tiny || apps_dirs=4
	mkdir "$tmp/apps"
	make_tree
	make_sql >"$tmp/apps/sql"
	: >"$tmp/pass"
	apps_undo=$nr_undo
	apps_rows loop-direct loop_direct IOPS more "loop device, direct, 4 KiB random write QD32"
	is_tiny || apps_rows loop-cached loop_cached IOPS more "the same, through the page cache"
	apps_rows sqlite sqlite s less \
		"ext4 on a loop device: $((apps_dirs * 4)) transactions of SQLite" sqlite3 sqlite3
	is_tiny || apps_rows untar untar s less \
		"ext4 on a loop device: $((apps_dirs * 32)) files of 8 KiB unpacked"
	apps_rows checkout checkout s less "ext4 on a loop device: those cloned from a repository" \
		git git make_repository
	is_tiny && return
	apps_rows convert convert s less "qemu-img convert of a disk that is half full" \
		qemu-img qemu-utils make_qcow2
	! is_long || apps_rows database database IOPS more \
		"ext4 on a loop device: 8 KiB read or written and synced"
}
