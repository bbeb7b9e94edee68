// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes of a killed process land after its death; the cache device stays locked until they have.
 *
 *	process      direct writes in flight to a slow device, killed, reaped
 *	device       ........ they land, one after the other ........|
 *	successor    open: busy ... busy ... busy ...                 open: all is at rest
 *
 * The device is a loop device that the process may write a few times a second only (a control group
 * slows the process, not the device, and what it has submitted stays slowed after its death).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/io/loop.h"
#include "tests/loopdev.h"

#define BYTES (16u << 20)
#define WRITES 8u
#define WRITES_PER_SECOND "8"
#define PLACE(i) ((uint64_t)(i)*64 * 1024)

static char dir[] = "check_io_landing.XXXXXX";
static char file[80], mnt[80], group[200];
static struct loopdev loopdev = { .fd = -1 };

static void cleanup(void)
{
	if (mnt[0])
		(void)umount2(mnt, MNT_DETACH);
	loopdev_detach(&loopdev);
	if (group[0])
		(void)rmdir(group);
	(void)rmdir(mnt);
	(void)unlink(file);
	(void)rmdir(dir);
}

static void give_up(int status, const char *format, ...) printf_like(2, 3) noreturn_;
static void give_up(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	cleanup();
	exit(status);
}

#define FAIL(...) give_up(1, __VA_ARGS__)
#define SKIP(...) give_up(77, __VA_ARGS__)
#define CHECK(cond)                                                           \
	do {                                                                  \
		if (!(cond))                                                  \
			FAIL("%s:%d: not so: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/* ------------------------------------------------------------------ the slow device */

static bool put(const char *path, const char *name, const char *value)
{
	char full[300];
	int fd;
	bool is_ok;

	snprintf(full, sizeof(full), "%s/%s", path, name);
	fd = open(full, O_WRONLY | O_CLOEXEC);
	is_ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	if (fd >= 0)
		close(fd);
	return is_ok;
}

/* A control group, of either version, whose members write to the device slowly. */
static bool make_group(void)
{
	static const struct {
		const char *root, *enable, *name, *key;
	} kinds[] = {
		{ "/sys/fs/cgroup", "cgroup.subtree_control", "io.max", "wiops=" },
		{ "/sys/fs/cgroup/blkio", NULL, "blkio.throttle.write_iops_device", "" },
	};
	char limit[64];

	for (size_t i = 0; i < array_size(kinds); i++) {
		if (kinds[i].enable)
			(void)put(kinds[i].root, kinds[i].enable, "+io");
		snprintf(group, sizeof(group), "%s/%s", kinds[i].root, dir);
		if (mkdir(group, 0755) < 0)
			continue;
		snprintf(limit, sizeof(limit), "%d:%u %s%s", LOOP_MAJOR, loopdev.number,
			 kinds[i].key, WRITES_PER_SECOND);
		if (put(group, kinds[i].name, limit))
			return true;
		(void)rmdir(group);
	}
	group[0] = '\0';
	return false;
}

static void make_device(void)
{
	int err;

	if (geteuid() != 0)
		SKIP("not root: no loop device, no control group");
	if (!mkdtemp(dir))
		FAIL("cannot make a directory: %s", strerror(errno));
	snprintf(file, sizeof(file), "%s/image", dir);
	err = loopdev_attach(&loopdev, file, BYTES);
	if (err)
		SKIP("no loop device: %s", strerror(-err));
	if (!make_group())
		SKIP("no control group that limits writes per second");
}

/* ------------------------------------------------------------------ the process that is killed */

static _Alignas(4096) char old[4096], new[4096], seen[4096];

static void set_done(struct loop_op *op, unused_ int result)
{
	op->fd = -1;
}

static void write_until_killed(const char *path, bool no_uring, int ready)
{
	struct cachedev_conf conf = { .path = path };
	struct loop_conf loop_conf = { .depth = WRITES, .no_uring = no_uring };
	static struct loop_op ops[WRITES];
	static const struct iovec iov = { new, sizeof(new) };
	struct cachedev *dev;
	struct loop *loop;
	char text[300];

	if (!put(group, "cgroup.procs", "0") || cachedev_open(&dev, &conf, text, sizeof(text)) ||
	    loop_open(&loop, &loop_conf))
		_exit(1);
	for (unsigned int i = 0; i < WRITES; i++) {
		ops[i] = (struct loop_op){ .fd = cachedev_fd(dev),
					   .is_write = true,
					   .iov = &iov,
					   .nr_iov = 1,
					   .off = PLACE(i),
					   .done = set_done };
		loop_start(loop, &ops[i]);
	}
	/*
	 * The first has landed, so the others have been submitted; with threads, as many as
	 * there are.
	 */
	while (loop_run(loop, UINT64_MAX) == 0)
		;
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void start_and_kill(const char *path, bool no_uring)
{
	int ready[2], status;
	pid_t child;
	char c;

	CHECK(pipe(ready) == 0);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(ready[0]);
		close(loopdev.fd);
		write_until_killed(path, no_uring, ready[1]);
	}
	close(ready[1]);
	CHECK(child > 0);
	if (read(ready[0], &c, 1) != 1) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		FAIL("the process that writes could not start");
	}
	close(ready[0]);
	CHECK(kill(child, SIGKILL) == 0);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/* ------------------------------------------------------------------ its successor */

static unsigned int nr_told;

static void tell(unused_ void *ctx, const char *text)
{
	printf("  %s\n", text);
	nr_told++;
}

static unsigned int count_new(struct cachedev *dev)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < WRITES; i++) {
		CHECK(blkdev_read(cachedev_blkdev(dev), seen, sizeof(seen), PLACE(i)) == 0);
		CHECK(!memcmp(seen, new, sizeof(seen)) || !memcmp(seen, old, sizeof(seen)));
		n += !memcmp(seen, new, sizeof(seen));
	}
	return n;
}

/* Writes in flight in the loop device, from its own counters. */
static unsigned int in_flight(void)
{
	char path[64];
	unsigned int reads = 0, writes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/loop%u/inflight", loopdev.number);
	f = fopen(path, "re");
	CHECK(f && fscanf(f, "%u %u", &reads, &writes) == 2);
	fclose(f);
	return writes;
}

static void reset(const char *path)
{
	struct cachedev_conf conf = { .path = path };
	struct cachedev *dev;
	char text[300];

	CHECK(cachedev_open(&dev, &conf, text, sizeof(text)) == 0);
	for (unsigned int i = 0; i < WRITES; i++)
		CHECK(blkdev_write(cachedev_blkdev(dev), old, sizeof(old), PLACE(i)) == 0);
	CHECK(blkdev_flush(cachedev_blkdev(dev)) == 0);
	cachedev_close(dev);
}

static void lock_outlives_the_process(const char *path, bool no_uring)
{
	struct cachedev_conf now = { .path = path };
	struct cachedev_conf later = { .path = path, .wait_ms = 60000, .waiting = tell };
	struct cachedev *dev;
	unsigned int landed;
	uint64_t until;
	char text[300];
	int err;

	printf("%s, %s:\n", path, no_uring ? "threads" : "ring");
	reset(path);
	start_and_kill(path, no_uring);
	err = cachedev_open(&dev, &now, text, sizeof(text));
	/* A thread's write is waited for by exit itself: no need to be busy then. */
	if (!no_uring && err != -EBUSY)
		FAIL("opened (%d) while writes of a killed process were in flight", err);
	if (err == 0)
		cachedev_close(dev);
	nr_told = 0;
	err = cachedev_open(&dev, &later, text, sizeof(text));
	if (err)
		FAIL("still busy after a minute: %s", text);
	CHECK(no_uring || nr_told > 0);
	landed = count_new(dev);
	CHECK(landed >= 1 && in_flight() == 0);
	/* Long enough for all that could still be on its way. */
	until = clock_mono_ns() + 2 * NSEC_PER_SEC;
	while (landed < WRITES && clock_mono_ns() < until && count_new(dev) == landed)
		usleep(50000);
	printf("  %u of %u writes had landed when the lock was given\n", landed, WRITES);
	if (count_new(dev) != landed)
		FAIL("a write landed after the lock had been given");
	cachedev_close(dev);
}

/* A file on a filesystem on the slow device, with its blocks in place. */
static bool make_file(char *path, size_t size)
{
	char command[200];
	int fd;

	snprintf(command, sizeof(command),
		 "mke2fs -q -F -t ext4 -O ^has_journal %s >/dev/null 2>&1", loopdev.path);
	if (system(command) != 0 ||
	    (snprintf(mnt, sizeof(mnt), "%s/mnt", dir) > 0 && mkdir(mnt, 0700)))
		return false;
	if (mount(loopdev.path, mnt, "ext4", 0, NULL) < 0)
		return false;
	snprintf(path, size, "%s/cache", mnt);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	for (unsigned int i = 0; i < (2u << 20) / sizeof(old); i++)
		CHECK(write(fd, old, sizeof(old)) == (ssize_t)sizeof(old));
	CHECK(fsync(fd) == 0 && close(fd) == 0);
	return true;
}

int main(void)
{
	char path[120];

	memset(old, 0x11, sizeof(old));
	memset(new, 0xee, sizeof(new));
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_device();
	lock_outlives_the_process(loopdev.path, false);
	lock_outlives_the_process(loopdev.path, true);
	if (make_file(path, sizeof(path))) {
		lock_outlives_the_process(path, false);
		lock_outlives_the_process(path, true);
	} else {
		printf("no ext4 to be made here: not tested for a file\n");
	}
	cleanup();
	return 0;
}
