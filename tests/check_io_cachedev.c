// SPDX-License-Identifier: GPL-2.0-or-later
/* The cache device: what is opened, what is refused, who is named. */
#include "lcfs/io/cachedev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/align.h"
#include "tests/check_main.h"
#include "tests/loopdev.h"

#define BYTES (8u << 20)

static char dir[64], file[80], mnt[80], text[700];
static struct loopdev loopdev;
static struct cachedev *dev;
static unsigned int nr_told;
static char told[700];

static void setup(void)
{
	int fd;

	strcpy(dir, "check_io_cachedev.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/cache", dir);
	snprintf(mnt, sizeof(mnt), "%s/mnt", dir);
	fd = open(file, O_CREAT | O_RDWR, 0600);
	ck_assert_int_eq(ftruncate(fd, BYTES), 0);
	close(fd);
	loopdev.fd = -1;
	dev = NULL;
	nr_told = 0;
	memset(text, 0, sizeof(text));
}

static void teardown(void)
{
	cachedev_close(dev);
	(void)umount2(mnt, MNT_DETACH);
	loopdev_detach(&loopdev);
	(void)rmdir(mnt);
	(void)unlink(file);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void tell(void *ctx, const char *line)
{
	ck_assert_ptr_eq(ctx, &nr_told);
	nr_told++;
	snprintf(told, sizeof(told), "%s", line);
}

static int open_path(const char *path, unsigned int wait_ms)
{
	struct cachedev_conf conf = {
		.path = path,
		.wait_ms = wait_ms,
		.waiting = tell,
		.ctx = &nr_told,
	};

	return cachedev_open(&dev, &conf, text, sizeof(text));
}

static void assert_refused(int result, int err, const char *path, const char *word)
{
	ck_assert_int_eq(result, err);
	ck_assert_ptr_null(dev);
	ck_assert_msg(strstr(text, path) && strstr(text, word), "'%s' has no '%s'", text, word);
	ck_assert_ptr_null(strchr(text, '\n'));
}

/* ------------------------------------------------------------------ a process that holds it */

static pid_t holder;
static int let_go;

static void hold(const char *path)
{
	int ready[2], go[2];
	char c = 0;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	holder = fork();
	if (holder == 0) {
		close(go[1]);
		if (open_path(path, 0) || write(ready[1], &c, 1) != 1)
			_exit(1);
		(void)!read(go[0], &c, 1);
		_exit(0);
	}
	close(go[0]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	let_go = go[1];
}

static void end_holder(void)
{
	int status;

	close(let_go);
	ck_assert_int_eq(waitpid(holder, &status, 0), holder);
	ck_assert_int_eq(status, 0);
}

static void let_go_when_told(void *ctx, const char *line)
{
	tell(ctx, line);
	end_holder();
}

static void is_held_and_let_go(const char *path)
{
	struct cachedev_conf conf = {
		.path = path,
		.wait_ms = 60000,
		.waiting = let_go_when_told,
		.ctx = &nr_told,
	};
	char pid[32];

	hold(path);
	snprintf(pid, sizeof(pid), "pid %d (", holder);
	assert_refused(open_path(path, 0), -EBUSY, path, pid);
	ck_assert_uint_eq(nr_told, 0);
	ck_assert_msg(cachedev_open(&dev, &conf, text, sizeof(text)) == 0, "%s", text);
	ck_assert_uint_eq(nr_told, 1);
	ck_assert_ptr_nonnull(strstr(told, pid));
}

/* False, with the reason printed, where there are no loop devices to be had. */
static bool attach(void)
{
	int err = loopdev_attach(&loopdev, file, BYTES);

	if (err)
		printf("no loop device: not tested on a block device: %s\n", strerror(-err));
	return !err;
}

/* ------------------------------------------------------------------ tests */

static void write_and_read(uint64_t bytes)
{
	static _Alignas(4096) char out[3 * 4096], in[3 * 4096];
	struct blkdev *d = cachedev_blkdev(dev);

	ck_assert_uint_eq(d->bytes, bytes);
	memset(out, 0x3c, sizeof(out));
	ck_assert_int_eq(blkdev_write(d, out, sizeof(out), bytes - sizeof(out)), 0);
	ck_assert_int_eq(blkdev_flush(d), 0);
	blkdev_prefetch(d, sizeof(in), bytes - sizeof(in));
	ck_assert_int_eq(blkdev_read(d, in, sizeof(in), bytes - sizeof(in)), 0);
	ck_assert_mem_eq(in, out, sizeof(in));
	ck_assert_int_eq(blkdev_read(d, in, 4096, align_up(bytes + 1, 4096)), -EIO);
	blkdev_close(d);
}

START_TEST(a_file_is_read_and_written)
{
	struct cachedev_info info;

	ck_assert_int_eq(open_path(file, 0), 0);
	cachedev_info(dev, &info);
	ck_assert(!info.is_block);
	ck_assert_uint_eq(info.bytes, BYTES);
	ck_assert_uint_le(info.sector_bytes, 4096);
	ck_assert_int_eq(fcntl(cachedev_fd(dev), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	write_and_read(BYTES);
}
END_TEST

START_TEST(a_block_device_is_read_and_written)
{
	struct cachedev_info info;

	if (!attach())
		return;
	ck_assert_msg(open_path(loopdev.path, 0) == 0, "%s", text);
	cachedev_info(dev, &info);
	ck_assert(info.is_block && info.is_direct);
	ck_assert_uint_eq(info.bytes, BYTES);
	ck_assert_uint_eq(info.sector_bytes, 512);
	ck_assert_uint_eq(info.major, LOOP_MAJOR);
	ck_assert_uint_eq(info.minor, loopdev.number);
	write_and_read(BYTES);
}
END_TEST

START_TEST(the_odd_end_of_a_file_is_not_used)
{
	ck_assert_int_eq(truncate(file, BYTES + 4095), 0);
	ck_assert_int_eq(open_path(file, 0), 0);
	ck_assert_uint_eq(cachedev_blkdev(dev)->bytes, BYTES);
}
END_TEST

START_TEST(a_filesystem_without_direct_io_will_do)
{
	char path[100];
	struct cachedev_info info;
	int fd;

	ck_assert_int_eq(mkdir(mnt, 0700), 0);
	if (mount("none", mnt, "ramfs", 0, NULL) < 0) {
		printf("cannot mount: buffered files are not tested: %s\n", strerror(errno));
		return;
	}
	snprintf(path, sizeof(path), "%s/cache", mnt);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	ck_assert_int_eq(ftruncate(fd, BYTES), 0);
	close(fd);
	ck_assert_msg(open_path(path, 0) == 0, "%s", text);
	cachedev_info(dev, &info);
	ck_assert(!info.is_direct);
	write_and_read(BYTES);
	cachedev_close(dev);
	dev = NULL;
	is_held_and_let_go(path);
}
END_TEST

START_TEST(a_file_in_use_is_refused_or_waited_for)
{
	is_held_and_let_go(file);
}
END_TEST

START_TEST(a_block_device_in_use_is_refused_or_waited_for)
{
	if (attach())
		is_held_and_let_go(loopdev.path);
}
END_TEST

START_TEST(waiting_ends_after_its_time)
{
	hold(file);
	assert_refused(open_path(file, 50), -EBUSY, file, "pid ");
	ck_assert_uint_eq(nr_told, 1);
	end_holder();
	ck_assert_int_eq(open_path(file, 0), 0);
}
END_TEST

START_TEST(a_mounted_device_is_refused_at_once)
{
	char command[200];

	if (!attach())
		return;
	snprintf(command, sizeof(command), "mke2fs -q -F %s >/dev/null 2>&1", loopdev.path);
	if (system(command) != 0) {
		printf("no mke2fs: mounted devices are not tested\n");
		return;
	}
	ck_assert_int_eq(mkdir(mnt, 0700), 0);
	ck_assert_int_eq(mount(loopdev.path, mnt, "ext2", 0, NULL), 0);
	/* An hour of patience is of no use. */
	assert_refused(open_path(loopdev.path, 3600 * 1000), -EBUSY, loopdev.path, mnt);
	ck_assert_uint_eq(nr_told, 0);
}
END_TEST

START_TEST(a_look_without_the_lock_is_possible_while_another_has_it)
{
	struct cachedev_conf conf = { .path = file, .read_only = true, .is_shared = true };
	static _Alignas(4096) char block[4096];

	hold(file);
	ck_assert_int_eq(cachedev_open(&dev, &conf, text, sizeof(text)), 0);
	ck_assert_int_eq(blkdev_read(cachedev_blkdev(dev), block, 4096, 0), 0);
	ck_assert_int_eq(blkdev_write(cachedev_blkdev(dev), block, 4096, 0), -EBADF);
	end_holder();
}
END_TEST

START_TEST(what_is_no_device_is_refused)
{
	char fifo[100];

	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	assert_refused(open_path(dir, 0), -ENOTBLK, dir, "not a block device");
	assert_refused(open_path(fifo, 0), -ENOTBLK, fifo, "not a block device");
	assert_refused(open_path("/dev/null", 0), -ENOTBLK, "/dev/null", "not a block device");
	ck_assert_int_eq(unlink(fifo), 0);
	assert_refused(open_path(fifo, 0), -ENOENT, fifo, "No such file");
}
END_TEST

START_TEST(what_must_not_be_written_is_refused)
{
	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(dir, 0755), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	} else {
		ck_assert_int_eq(chmod(file, 0400), 0);
	}
	assert_refused(open_path(file, 0), -EACCES, file, "for writing");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		a_file_is_read_and_written,
		a_block_device_is_read_and_written,
		the_odd_end_of_a_file_is_not_used,
		a_filesystem_without_direct_io_will_do,
		a_file_in_use_is_refused_or_waited_for,
		a_block_device_in_use_is_refused_or_waited_for,
		waiting_ends_after_its_time,
		a_mounted_device_is_refused_at_once,
		a_look_without_the_lock_is_possible_while_another_has_it,
		what_is_no_device_is_refused,
		what_must_not_be_written_is_refused,
	};
	Suite *suite = suite_create("io cachedev");
	TCase *tc = tcase_create("device");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < array_size(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
