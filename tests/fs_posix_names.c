// SPDX-License-Identifier: GPL-2.0-or-later
/* Names: making, finding, linking, removing. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "tests/fs_posix.h"

static char *long_name(char *buf, size_t len)
{
	memset(buf, 'n', len);
	buf[len] = 0;
	return buf;
}

static void missing_and_wrong_kinds(void)
{
	struct stat st;

	ERR(stat("no", &st), ENOENT);
	ERR(open("no", O_RDONLY), ENOENT);
	ERR(unlink("no"), ENOENT);
	ERR(rmdir("no"), ENOENT);
	ERR(mkdir("no/sub", 0755), ENOENT);
	ERR(chmod("no", 0644), ENOENT);
	fs_write("f", "x");
	OK(mkdir("d", 0755));
	ERR(stat("f/x", &st), ENOTDIR);
	ERR(open("f/x", O_RDWR | O_CREAT, 0644), ENOTDIR);
	ERR(rmdir("f"), ENOTDIR);
	ERR(unlink("d"), EISDIR);
	ERR(open("d", O_WRONLY), EISDIR);
	ERR(open("d", O_RDWR | O_CREAT, 0644), EISDIR);
	ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	ERR(truncate("d", 0), EISDIR);
	ERR(rmdir("d/."), EINVAL);
	ERR(rmdir("d/.."), ENOTEMPTY);
	ERR(chdir("f"), ENOTDIR);
	ERR(readlink("f", (char[8]){ 0 }, 8), EINVAL);
}

static void existing_names(void)
{
	fs_write("f", "x");
	OK(mkdir("d", 0755));
	ERR(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	ERR(mkdir("f", 0755), EEXIST);
	ERR(mkdir("d", 0755), EEXIST);
	ERR(symlink("x", "f"), EEXIST);
	ERR(mknod("d", S_IFREG | 0644, 0), EEXIST);
	ERR(link("f", "d"), EEXIST);
	OK(symlink("nowhere", "s"));
	ERR(open("s", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	ERR(mkdir("s", 0755), EEXIST);
	HAS("f", "x");
}

static void long_names(void)
{
	char name[PATH_MAX + 8];
	struct stat st;

	OK(close((int)OK(open(long_name(name, 255), O_RDWR | O_CREAT, 0644))));
	OK(stat(name, &st));
	OK(unlink(name));
	ERR(open(long_name(name, 256), O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
	ERR(stat(name, &st), ENAMETOOLONG);
	ERR(mkdir(name, 0755), ENAMETOOLONG);
	ERR(symlink("x", name), ENAMETOOLONG);
	ERR(stat(long_name(name, PATH_MAX), &st), ENAMETOOLONG);
}

/* Names are bytes: anything but '/' and NUL. */
static void strange_names(void)
{
	static const char *const names[] = { " ", "...", "a\nb", "\xff\xfe", "\\",
					     "*", "-rf", "ä",	 "\1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fs_write(names[i], "x");
		HAS(names[i], "x");
		OK(unlink(names[i]));
	}
}

static void symlinks(void)
{
	char target[PATH_MAX], got[PATH_MAX + 1];
	struct stat st;

	OK(symlink("f", "s"));
	ERR(open("s", O_RDONLY), ENOENT);
	fs_write("s", "through");
	HAS("f", "through");
	SAME(fs_stat("s").st_size, 1);
	TRUE(S_ISLNK(fs_stat("s").st_mode));
	ERR(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	ERR(open("loop1", O_RDONLY), ELOOP);
	ERR(stat("loop1", &st), ELOOP);
	long_name(target, PATH_MAX - 1);
	OK(symlink(target, "longest"));
	SAME(readlink("longest", got, sizeof(got)), PATH_MAX - 1);
	TRUE(memcmp(got, target, PATH_MAX - 1) == 0);
	SAME(readlink("longest", got, 10), 10);
	OK(unlink("s"));
	HAS("f", "through");
}

static void hard_links(void)
{
	struct stat a, b;

	fs_write("a", "one");
	OK(link("a", "b"));
	a = fs_stat("a");
	b = fs_stat("b");
	SAME(a.st_ino, b.st_ino);
	SAME(a.st_nlink, 2);
	SAME(b.st_nlink, 2);
	fs_write("b", "two");
	HAS("a", "two");
	OK(truncate("a", 1));
	HAS("b", "t");
	OK(unlink("a"));
	SAME(fs_stat("b").st_nlink, 1);
	HAS("b", "t");
	OK(mkdir("d", 0755));
	ERR(link("d", "e"), EPERM);
	ERR(link("no", "e"), ENOENT);
	ERR(link("b", "d/no/e"), ENOENT);
	OK(link("b", "d/c"));
	SAME(fs_stat("d/c").st_nlink, 2);
	OK(unlink("b"));
	HAS("d/c", "t");
	OK(symlink("d/c", "s"));
	OK(linkat(AT_FDCWD, "s", AT_FDCWD, "s2", 0));
	TRUE(S_ISLNK(fs_stat("s2").st_mode));
	OK(linkat(AT_FDCWD, "s", AT_FDCWD, "c2", AT_SYMLINK_FOLLOW));
	TRUE(S_ISREG(fs_stat("c2").st_mode));
}

static void other_filesystem(void)
{
	char path[] = "/dev/shm/fs_posix.XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		fs_skip("no /dev/shm");
	close(fd);
	fs_write("f", "x");
	ERR(link("f", "/dev/shm/fs_posix.link"), EXDEV);
	ERR(rename("f", path), EXDEV);
	ERR(rename(path, "f"), EXDEV);
	OK(unlink(path));
}

static void *fifo_writer(void *arg unused_)
{
	fs_write("fifo", "hello");
	return NULL;
}

static void special_files(void)
{
	union {
		struct sockaddr_un un;
		struct sockaddr any;
	} addr = { .un = { .sun_family = AF_UNIX, .sun_path = "sock" } };
	pthread_t thread;
	int s, c;

	OK(mkfifo("fifo", 0600));
	TRUE(S_ISFIFO(fs_stat("fifo").st_mode));
	SAME(fs_stat("fifo").st_mode & 07777, 0600);
	TRUE(pthread_create(&thread, NULL, fifo_writer, NULL) == 0);
	HAS("fifo", "hello");
	pthread_join(thread, NULL);
	s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(bind(s, &addr.any, sizeof(addr)));
	OK(listen(s, 1));
	TRUE(S_ISSOCK(fs_stat("sock").st_mode));
	c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(connect(c, &addr.any, sizeof(addr)));
	OK(rename("fifo", "fifo2"));
	OK(unlink("fifo2"));
	ERR(open("sock", O_RDWR), ENXIO);
}

static void devices(void)
{
	struct stat st;

	OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	st = fs_stat("null");
	TRUE(S_ISCHR(st.st_mode));
	SAME(major(st.st_rdev), 1);
	SAME(minor(st.st_rdev), 3);
	OK(mknod("blk", S_IFBLK | 0600, makedev(259, 70000)));
	SAME(minor(fs_stat("blk").st_rdev), 70000);
	OK(mknod("reg", S_IFREG | 0640, 0));
	SAME(fs_stat("reg").st_mode, S_IFREG | 0640);
}

static void open_but_unlinked(void)
{
	char buf[16];
	int fd, again;
	struct stat st;

	fs_write("f", "before");
	fd = (int)OK(open("f", O_RDWR));
	OK(unlink("f"));
	ERR(stat("f", &st), ENOENT);
	OK(fstat(fd, &st));
	SAME(st.st_nlink, 0);
	SAME(st.st_size, 6);
	SAME(pread(fd, buf, 16, 0), 6);
	SAME(pwrite(fd, "AFTER", 5, 6), 5);
	OK(fstat(fd, &st));
	SAME(st.st_size, 11);
	OK(fchmod(fd, 0600));
	OK(ftruncate(fd, 100));
	OK(fsync(fd));
	/* A new file of the name is another one. */
	fs_write("f", "new");
	SAME(pread(fd, buf, 11, 0), 11);
	TRUE(memcmp(buf, "beforeAFTER", 11) == 0);
	HAS("f", "new");
	/* It can be opened again by its descriptor. */
	snprintf(buf, sizeof(buf), "/dev/fd/%d", fd);
	again = (int)OK(open(buf, O_RDONLY));
	SAME(pread(again, buf, 6, 0), 6);
	TRUE(memcmp(buf, "before", 6) == 0);
	OK(close(again));
	OK(close(fd));
}

static void replaced_while_open(void)
{
	char buf[8];
	int fd;

	fs_write("old", "old");
	fs_write("new", "new");
	fd = (int)OK(open("old", O_RDWR));
	OK(rename("new", "old"));
	HAS("old", "new");
	SAME(pread(fd, buf, 8, 0), 3);
	TRUE(memcmp(buf, "old", 3) == 0);
	SAME(pwrite(fd, "OLD", 3, 0), 3);
	HAS("old", "new");
	SAME(pread(fd, buf, 8, 0), 3);
	TRUE(memcmp(buf, "OLD", 3) == 0);
}

static void truncating_opens(void)
{
	int fd, other;
	char buf[8];

	fs_write("f", "long text");
	other = (int)OK(open("f", O_RDWR));
	fd = (int)OK(open("f", O_WRONLY | O_TRUNC));
	SAME(fs_stat("f").st_size, 0);
	SAME(read(other, buf, 8), 0);
	SAME(write(fd, "x", 1), 1);
	OK(close(fd));
	fd = (int)OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600));
	SAME(fs_stat("f").st_size, 0);
	SAME(fs_stat("f").st_mode & 0777, 0644);
	OK(close(fd));
}

/* A mode without rights binds the next open, not the one that makes the file. */
static void created_read_only(void)
{
	int fd = (int)OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0444));

	SAME(write(fd, "text", 4), 4);
	OK(close(fd));
	SAME(fs_stat("f").st_mode & 0777, 0444);
	HAS("f", "text");
	fd = (int)OK(open("g", O_WRONLY | O_CREAT, 0));
	SAME(write(fd, "text", 4), 4);
	OK(close(fd));
}

const struct fs_case fs_cases_names[] = {
	{ "missing_and_wrong_kinds", missing_and_wrong_kinds, false },
	{ "existing_names", existing_names, false },
	{ "long_names", long_names, false },
	{ "strange_names", strange_names, false },
	{ "symlinks", symlinks, false },
	{ "hard_links", hard_links, false },
	{ "other_filesystem", other_filesystem, false },
	{ "special_files", special_files, false },
	{ "devices", devices, true },
	{ "open_but_unlinked", open_but_unlinked, false },
	{ "replaced_while_open", replaced_while_open, false },
	{ "truncating_opens", truncating_opens, false },
	{ "created_read_only", created_read_only, false },
	{ 0 },
};
