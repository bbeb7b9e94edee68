// SPDX-License-Identifier: GPL-2.0-or-later
/* Attributes: modes, times, sizes, what writes take away. */
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>

#include "tests/fs_posix.h"

static void modes(void)
{
	fs_write("f", "x");
	for (mode_t m = 0; m <= 0777; m += 037) {
		OK(chmod("f", m));
		SAME(fs_stat("f").st_mode, S_IFREG | m);
	}
	OK(chmod("f", 04755));
	SAME(fs_stat("f").st_mode, S_IFREG | 04755);
	OK(mkdir("d", 01777));
	OK(chmod("d", 03775));
	SAME(fs_stat("d").st_mode, S_IFDIR | 03775);
}

static void masks(void)
{
	umask(027);
	fs_write("f", "");
	SAME(fs_stat("f").st_mode & 07777, 0640);
	OK(mkdir("d", 0777));
	SAME(fs_stat("d").st_mode & 07777, 0750);
	OK(mkfifo("p", 0666));
	SAME(fs_stat("p").st_mode & 07777, 0640);
	umask(0);
	OK(mkdir("e", 0777));
	SAME(fs_stat("e").st_mode & 07777, 0777);
	umask(077);
	OK(mknod("g", S_IFREG | 0666, 0));
	SAME(fs_stat("g").st_mode & 07777, 0600);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void times(void)
{
	const struct timespec set[2] = { { 1000000000, 123456789 }, { 1700000000, 987654321 } };
	const struct timespec old[2] = { { -86400, 1 }, { -1, 999999999 } };
	const struct timespec late[2] = { { 5000000000, 1 }, { 4400000000, 2 } };
	const struct timespec only_mtime[2] = { { 0, UTIME_OMIT }, { 1234, 5678 } };
	const struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct stat st;
	int fd;

	fs_write("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(futimens(fd, set));
	st = fs_stat("f");
	TRUE(same_time(st.st_atim, set[0]) && same_time(st.st_mtim, set[1]));
	OK(utimensat(AT_FDCWD, "f", only_mtime, 0));
	st = fs_stat("f");
	TRUE(same_time(st.st_atim, set[0]) && same_time(st.st_mtim, only_mtime[1]));
	OK(utimensat(AT_FDCWD, "f", now, 0));
	st = fs_stat("f");
	TRUE(st.st_atim.tv_sec > set[0].tv_sec && same_time(st.st_mtim, only_mtime[1]));
	OK(utimensat(AT_FDCWD, "f", old, 0));
	st = fs_stat("f");
	TRUE(same_time(st.st_atim, old[0]) && same_time(st.st_mtim, old[1]));
	OK(utimensat(AT_FDCWD, "f", late, 0));
	st = fs_stat("f");
	TRUE(same_time(st.st_atim, late[0]) && same_time(st.st_mtim, late[1]));
	OK(symlink("f", "s"));
	OK(utimensat(AT_FDCWD, "s", set, AT_SYMLINK_NOFOLLOW));
	TRUE(same_time(fs_stat("s").st_mtim, set[1]));
	TRUE(same_time(fs_stat("f").st_mtim, late[1]));
	OK(mkdir("d", 0755));
	OK(utimensat(AT_FDCWD, "d", set, 0));
	TRUE(same_time(fs_stat("d").st_mtim, set[1]));
}

static void reset_times(const char *path)
{
	const struct timespec set[2] = { { 1000, 0 }, { 1000, 0 } };

	OK(utimensat(AT_FDCWD, path, set, AT_SYMLINK_NOFOLLOW));
}

/* Waits until the coarse clock that stamps files has moved on. */
static void let_time_pass(void)
{
	struct timespec pause = { .tv_nsec = 20000000 };

	nanosleep(&pause, NULL);
}

static void times_that_move(void)
{
	struct timespec c;
	int fd;

	OK(mkdir("d", 0755));
	fs_write("d/f", "x");
	fd = (int)OK(open("d/f", O_RDWR));
	reset_times("d/f");
	SAME(write(fd, "y", 1), 1);
	TRUE(fs_stat("d/f").st_mtim.tv_sec > 1000);
	reset_times("d/f");
	OK(ftruncate(fd, 100));
	TRUE(fs_stat("d/f").st_mtim.tv_sec > 1000);
	reset_times("d/f");
	c = fs_stat("d/f").st_ctim;
	let_time_pass();
	OK(chmod("d/f", 0600));
	TRUE(fs_stat("d/f").st_mtim.tv_sec == 1000);
	TRUE(!same_time(fs_stat("d/f").st_ctim, c));
	reset_times("d");
	OK(rename("d/f", "d/g"));
	TRUE(fs_stat("d").st_mtim.tv_sec > 1000);
	reset_times("d");
	OK(unlink("d/g"));
	TRUE(fs_stat("d").st_mtim.tv_sec > 1000);
	reset_times("d");
	OK(mkdir("d/e", 0755));
	TRUE(fs_stat("d").st_mtim.tv_sec > 1000);
}

static int victim = -1;

static void overwrite(void)
{
	SAME(pwrite(victim, "z", 1, 0), 1);
}

static void overwrite_direct(void)
{
	static _Alignas(4096) char block[4096];

	SAME(pwrite(victim, block, 4096, 0), 4096);
}

static void shorten(void)
{
	OK(ftruncate(victim, 1));
}

static void expect_suid_cleared(int flags, void (*fn)(void))
{
	fs_write("f", "#!/bin/sh\n");
	OK(chown("f", USER_A, GROUP_A));
	victim = open("f", O_RDWR | flags);
	if (victim < 0 && errno == EINVAL)
		fs_skip("no O_DIRECT");
	OK(victim);
	OK(chmod("f", 06775));
	fs_as(USER_A, GROUP_A, 0, fn);
	SAME(fs_stat("f").st_mode & 07777, 0775);
	/* Without group execute the second bit means something else, and stays. */
	OK(chmod("f", 06765));
	fs_as(USER_A, GROUP_A, 0, fn);
	SAME(fs_stat("f").st_mode & 07777, 02765);
	/* Who may set them does not clear them. */
	OK(chmod("f", 06775));
	fn();
	SAME(fs_stat("f").st_mode & 07777, 06775);
	fs_as(USER_A, GROUP_A, 0, fn);
	SAME(fs_stat("f").st_mode & 07777, 0775);
	OK(close(victim));
}

static void suid_cleared_by_write(void)
{
	expect_suid_cleared(0, overwrite);
}

static void suid_cleared_by_direct_write(void)
{
	expect_suid_cleared(O_DIRECT, overwrite_direct);
}

static void suid_cleared_by_truncate(void)
{
	expect_suid_cleared(0, shorten);
}

static void suid_cleared_by_chown(void)
{
	fs_write("f", "x");
	OK(chmod("f", 06755));
	OK(chown("f", USER_A, GROUP_A));
	SAME(fs_stat("f").st_mode & 07777, 0755);
	OK(mkdir("d", 0755));
	OK(chmod("d", 06755));
	OK(chown("d", USER_A, GROUP_A));
	SAME(fs_stat("d").st_mode & 07777, 06755);
}

/* vfs_cap_data of version 2: cap_net_raw. */
static const unsigned char caps[20] = { 1, 0, 0, 2, 0, 0x20 };

static void set_caps(void)
{
	if (setxattr("f", "security.capability", caps, sizeof(caps), 0) < 0)
		fs_skip("no security.capability");
	SAME(getxattr("f", "security.capability", NULL, 0), sizeof(caps));
}

static void capabilities_cleared(void)
{
	fs_write("f", "#!/bin/sh\n");
	OK(chmod("f", 0666));
	victim = (int)OK(open("f", O_RDWR));
	set_caps();
	fs_as(USER_A, GROUP_A, 0, overwrite);
	ERR(getxattr("f", "security.capability", NULL, 0), ENODATA);
	set_caps();
	overwrite();
	ERR(getxattr("f", "security.capability", NULL, 0), ENODATA);
	set_caps();
	shorten();
	ERR(getxattr("f", "security.capability", NULL, 0), ENODATA);
	set_caps();
	OK(chown("f", USER_A, GROUP_A));
	ERR(getxattr("f", "security.capability", NULL, 0), ENODATA);
	OK(close(victim));
}

static void filesystem(void)
{
	struct statvfs a, b;

	OK(statvfs(".", &a));
	TRUE(a.f_namemax == 255);
	TRUE(a.f_blocks > 0 && a.f_bsize >= 512 && a.f_bfree <= a.f_blocks);
	OK(mkdir("d", 0755));
	OK(statvfs("d", &b));
	SAME(a.f_blocks, b.f_blocks);
}

static void numbers(void)
{
	struct stat st, again;
	int fd;

	fs_write("f", "x");
	st = fs_stat("f");
	TRUE(st.st_ino != 0);
	SAME(st.st_nlink, 1);
	SAME(st.st_size, 1);
	fd = (int)OK(open("f", O_RDWR));
	OK(fstat(fd, &again));
	SAME(st.st_ino, again.st_ino);
	SAME(st.st_dev, again.st_dev);
	SAME(fs_stat(".").st_dev, st.st_dev);
	SAME(fs_stat("./.").st_ino, fs_stat(".").st_ino);
}

static void unknown_ioctls(void)
{
	int fd, r;

	fs_write("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	ERR(ioctl(fd, _IOR('L', 200, int), &r), ENOTTY);
}

const struct fs_case fs_cases_attr[] = {
	{ "attr_modes", modes, false },
	{ "attr_masks", masks, false },
	{ "attr_times", times, false },
	{ "attr_times_that_move", times_that_move, false },
	{ "attr_suid_cleared_by_write", suid_cleared_by_write, true },
	{ "attr_suid_cleared_by_direct_write", suid_cleared_by_direct_write, true },
	{ "attr_suid_cleared_by_truncate", suid_cleared_by_truncate, true },
	{ "attr_suid_cleared_by_chown", suid_cleared_by_chown, true },
	{ "attr_capabilities_cleared", capabilities_cleared, true },
	{ "attr_filesystem", filesystem, false },
	{ "attr_numbers", numbers, false },
	{ "attr_unknown_ioctls", unknown_ioctls, false },
	{ 0 },
};
