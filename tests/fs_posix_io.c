// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading and writing. */
#include <linux/falloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/fs_posix.h"

#define MIB (1u << 20)

static void *aligned(size_t len)
{
	void *p;

	TRUE(posix_memalign(&p, 4096, len) == 0);
	memset(p, 0, len);
	return p;
}

static bool is_zero(const void *buf, size_t len)
{
	const char *p = buf;

	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static void ends_and_offsets(void)
{
	char buf[64];
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));
	int ro = (int)OK(open("f", O_RDONLY));
	int wo = (int)OK(open("f", O_WRONLY));

	SAME(read(fd, buf, 10), 0);
	SAME(write(fd, "0123456789", 10), 10);
	SAME(lseek(fd, 0, SEEK_CUR), 10);
	SAME(pread(fd, buf, 64, 4), 6);
	TRUE(memcmp(buf, "456789", 6) == 0);
	SAME(pread(fd, buf, 64, 10), 0);
	SAME(pread(fd, buf, 64, 1000000), 0);
	SAME(write(fd, buf, 0), 0);
	ERR(pread(fd, buf, 1, -1), EINVAL);
	ERR(pwrite(fd, buf, 1, -1), EINVAL);
	ERR(read(wo, buf, 1), EBADF);
	ERR(write(ro, buf, 1), EBADF);
	ERR(ftruncate(ro, 0), EINVAL);
	ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	SAME(lseek(fd, -3, SEEK_END), 7);
	SAME(pwrite(fd, "x", 1, 20), 1);
	SAME(pread(fd, buf, 64, 0), 21);
	TRUE(is_zero(buf + 10, 10));
}

static void sizes_of_all_kinds(void)
{
	static const size_t sizes[] = { 1,     511,    512,	513, 4095,    4096,	      4097,
					65536, 131072, MIB - 1, MIB, MIB + 1, 3 * MIB + 12345 };
	char *out = aligned(4 * MIB), *in = aligned(4 * MIB);
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		off_t off = (off_t)(i * 777777);

		fs_pattern(out, sizes[i], (unsigned int)i);
		SAME(pwrite(fd, out, sizes[i], off), sizes[i]);
		SAME(pread(fd, in, sizes[i], off), sizes[i]);
		TRUE(memcmp(in, out, sizes[i]) == 0);
		OK(fsync(fd));
		OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		SAME(pread(fd, in, sizes[i], off), sizes[i]);
		TRUE(memcmp(in, out, sizes[i]) == 0);
	}
	free(out);
	free(in);
}

static void direct(void)
{
	char *out = aligned(4 * MIB), *in = aligned(4 * MIB);
	int fd = open("f", O_RDWR | O_CREAT | O_DIRECT, 0644);

	if (fd < 0 && errno == EINVAL)
		fs_skip("no O_DIRECT");
	OK(fd);
	fs_pattern(out, 4 * MIB, 1);
	for (int i = 0; i < 64; i++)
		SAME(pwrite(fd, out + i * 512, 512, i * 512), 512);
	for (int i = 63; i >= 0; i--) {
		SAME(pread(fd, in, 512, i * 512), 512);
		TRUE(memcmp(in, out + i * 512, 512) == 0);
	}
	SAME(pwrite(fd, out, 4 * MIB, 512), 4 * MIB);
	SAME(pread(fd, in, 4 * MIB, 512), 4 * MIB);
	TRUE(memcmp(in, out, 4 * MIB) == 0);
	SAME(fs_stat("f").st_size, 4 * MIB + 512);
	SAME(pread(fd, in, 8192, 4 * MIB), 512);
	SAME(pread(fd, in, 4096, 8 * MIB), 0);
	OK(fdatasync(fd));
	free(out);
	free(in);
}

static void direct_meets_buffered(void)
{
	char *buf = aligned(8192);
	int cached, dio, late;

	cached = (int)OK(open("f", O_RDWR | O_CREAT, 0644));
	SAME(pwrite(cached, "cached", 6, 0), 6);
	OK(ftruncate(cached, 8192));
	dio = open("f", O_RDWR | O_DIRECT);
	if (dio < 0 && errno == EINVAL)
		fs_skip("no O_DIRECT");
	OK(dio);
	SAME(pread(dio, buf, 4096, 0), 4096);
	TRUE(memcmp(buf, "cached", 6) == 0);
	memcpy(buf, "direct", 6);
	SAME(pwrite(dio, buf, 4096, 0), 4096);
	SAME(pread(cached, buf + 4096, 6, 0), 6);
	TRUE(memcmp(buf + 4096, "direct", 6) == 0);
	late = (int)OK(open("f", O_RDWR));
	SAME(pwrite(late, "late", 4, 0), 4);
	SAME(pread(dio, buf, 4096, 0), 4096);
	TRUE(memcmp(buf, "latect", 6) == 0);
	SAME(pread(cached, buf, 6, 0), 6);
	TRUE(memcmp(buf, "latect", 6) == 0);
	free(buf);
}

static void append_from_many(void)
{
	enum {
		WRITERS = 6,
		LINES = 200,
		WIDTH = 16
	};
	char line[WIDTH + 1];
	int count[WRITERS] = { 0 };
	pid_t pid[WRITERS];
	FILE *f;

	for (int w = 0; w < WRITERS; w++) {
		pid[w] = (pid_t)OK(fork());
		if (pid[w] == 0) {
			int fd = (int)OK(open("log", O_WRONLY | O_CREAT | O_APPEND, 0644));

			for (int i = 0; i < LINES; i++) {
				snprintf(line, sizeof(line), "w%d line %06d\n\n", w, i);
				SAME(write(fd, line, WIDTH), WIDTH);
			}
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++)
		fs_reap(pid[w]);
	SAME(fs_stat("log").st_size, WRITERS * LINES * WIDTH);
	f = fopen("log", "r");
	TRUE(f);
	while (fread(line, WIDTH, 1, f) == 1) {
		int w, i;

		TRUE(sscanf(line, "w%d line %d\n", &w, &i) == 2 && w >= 0 && w < WRITERS);
		SAME(count[w], i);
		count[w]++;
	}
	fclose(f);
}

static void truncate_both_ways(void)
{
	char buf[8192];
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));

	memset(buf, 'a', sizeof(buf));
	SAME(pwrite(fd, buf, 8192, 0), 8192);
	OK(ftruncate(fd, 1000));
	SAME(fs_stat("f").st_size, 1000);
	SAME(pread(fd, buf, 8192, 0), 1000);
	OK(ftruncate(fd, 8192));
	SAME(pread(fd, buf, 8192, 0), 8192);
	TRUE(buf[999] == 'a' && is_zero(buf + 1000, 7192));
	OK(truncate("f", 0));
	SAME(pread(fd, buf, 8192, 0), 0);
	OK(ftruncate(fd, 1L << 40));
	SAME(fs_stat("f").st_size, 1L << 40);
	TRUE(fs_stat("f").st_blocks < 100);
	SAME(pread(fd, buf, 100, (1L << 40) - 50), 50);
	TRUE(is_zero(buf, 50));
	ERR(ftruncate(fd, -1), EINVAL);
	ERR(truncate("no", 1), ENOENT);
}

static void sparse_and_seek(void)
{
	char buf[4096] = "data";
	off_t data, hole;
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));

	SAME(pwrite(fd, buf, 4096, 1 << 20), 4096);
	SAME(pwrite(fd, buf, 4096, 1L << 33), 4096);
	OK(ftruncate(fd, (1L << 33) + (1 << 20)));
	TRUE(fs_stat("f").st_blocks < 1000);
	data = OK(lseek(fd, 0, SEEK_DATA));
	hole = OK(lseek(fd, 1 << 20, SEEK_HOLE));
	/* A filesystem may call everything data. */
	TRUE(data == 0 || data == 1 << 20);
	TRUE(hole >= (1 << 20) + 4096);
	if (data)
		SAME(lseek(fd, hole, SEEK_DATA), 1L << 33);
	SAME(lseek(fd, 0, SEEK_END), (1L << 33) + (1 << 20));
	ERR(lseek(fd, 1L << 40, SEEK_DATA), ENXIO);
	ERR(lseek(fd, 1L << 40, SEEK_HOLE), ENXIO);
	SAME(pread(fd, buf, 4096, 1L << 32), 4096);
	TRUE(is_zero(buf, 4096));
}

static void allocate(void)
{
	char buf[16384];
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));

	if (fallocate(fd, 0, 0, 16384) < 0 && errno == EOPNOTSUPP)
		fs_skip("no fallocate");
	SAME(fs_stat("f").st_size, 16384);
	SAME(pread(fd, buf, 16384, 0), 16384);
	TRUE(is_zero(buf, 16384));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
	SAME(fs_stat("f").st_size, 16384);
	memset(buf, 'x', sizeof(buf));
	SAME(pwrite(fd, buf, 16384, 0), 16384);
	OK(fallocate(fd, 0, 0, 8192));
	SAME(pread(fd, buf, 16384, 0), 16384);
	TRUE(buf[0] == 'x' && buf[16383] == 'x');
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 9000));
	SAME(fs_stat("f").st_size, 16384);
	SAME(pread(fd, buf, 16384, 0), 16384);
	TRUE(buf[999] == 'x' && is_zero(buf + 1000, 9000) && buf[10000] == 'x');
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 16000, 100000));
	SAME(fs_stat("f").st_size, 16384);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 12000, 8000));
	SAME(fs_stat("f").st_size, 20000);
	SAME(pread(fd, buf, 1000, 11500), 1000);
	TRUE(buf[499] == 'x' && is_zero(buf + 500, 500));
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 10000, 90000));
	SAME(fs_stat("f").st_size, 20000);
	ERR(fallocate(fd, 0, 0, 0), EINVAL);
	ERR(fallocate(fd, 0, -1, 10), EINVAL);
	ERR(fallocate((int)OK(open("f", O_RDONLY)), 0, 0, 10), EBADF);
}

static void synchronous(void)
{
	static const int flags[] = { O_SYNC, O_DSYNC, O_SYNC | O_DIRECT, O_DSYNC | O_DIRECT };
	char *buf = aligned(65536);
	struct iovec iov = { buf, 4096 };
	int fd;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		fs_pattern(buf, 65536, (unsigned int)i);
		fd = (int)OK(open("f", O_RDWR | O_CREAT | flags[i], 0644));
		SAME(pwrite(fd, buf, 65536, 0), 65536);
		SAME(pwrite(fd, buf, 4096, 1 << 20), 4096);
		SAME(pread(fd, buf, 4096, 1 << 20), 4096);
		OK(close(fd));
	}
	fd = (int)OK(open("f", O_RDWR));
	SAME(pwritev2(fd, &iov, 1, 0, RWF_DSYNC), 4096);
	SAME(pwritev2(fd, &iov, 1, 0, RWF_SYNC), 4096);
	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(sync_file_range(fd, 0, 0,
			   SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				   SYNC_FILE_RANGE_WAIT_AFTER));
	OK(fsync((int)OK(open("f", O_RDONLY))));
	free(buf);
}

static void two_descriptors(void)
{
	char buf[8];
	int a = (int)OK(open("f", O_RDWR | O_CREAT, 0644));
	int b = (int)OK(open("f", O_RDWR));

	SAME(pwrite(a, "aaaa", 4, 0), 4);
	SAME(pread(b, buf, 8, 0), 4);
	SAME(pwrite(b, "bb", 2, 1), 2);
	SAME(pread(a, buf, 8, 0), 4);
	TRUE(memcmp(buf, "abba", 4) == 0);
	OK(ftruncate(a, 2));
	SAME(pread(b, buf, 8, 0), 2);
	SAME(lseek(b, 0, SEEK_END), 2);
}

static void copies_in_the_kernel(void)
{
	char *buf = aligned(MIB), *back = aligned(MIB);
	off_t from = 100, to = 5000;
	int in = (int)OK(open("in", O_RDWR | O_CREAT, 0644));
	int out = (int)OK(open("out", O_RDWR | O_CREAT, 0644));

	fs_pattern(buf, MIB, 7);
	SAME(pwrite(in, buf, MIB, 0), MIB);
	while (from < 500100)
		OK(copy_file_range(in, &from, out, &to, (size_t)(500100 - from), 0));
	SAME(pread(out, back, 500000, 5000), 500000);
	TRUE(memcmp(back, buf + 100, 500000) == 0);
	from = 0;
	OK(lseek(out, 0, SEEK_SET));
	while (from < MIB)
		OK(sendfile(out, in, &from, (size_t)(MIB - from)));
	SAME(pread(out, back, MIB, 0), MIB);
	TRUE(memcmp(back, buf, MIB) == 0);
	free(buf);
	free(back);
}

static int try_lock(short type, int command)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
	int fd = (int)OK(open("f", O_RDWR));
	int r = fcntl(fd, command, &l);

	close(fd);
	return r;
}

static void locks(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
	int fd;
	pid_t pid;

	fs_write("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(fcntl(fd, F_OFD_SETLK, &l));
	ERR(try_lock(F_RDLCK, F_OFD_SETLK), EAGAIN);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		ERR(try_lock(F_WRLCK, F_SETLK), EAGAIN);
		ERR(try_lock(F_RDLCK, F_OFD_SETLK), EAGAIN);
		OK(flock((int)OK(open("f", O_RDWR)), LOCK_EX | LOCK_NB));
		_exit(0);
	}
	fs_reap(pid);
	OK(close(fd));
	OK(try_lock(F_WRLCK, F_OFD_SETLK));
}

static void ready_for_poll(void)
{
	struct pollfd p = { .events = POLLIN | POLLOUT };

	fs_write("f", "x");
	p.fd = (int)OK(open("f", O_RDWR));
	SAME(poll(&p, 1, 0), 1);
	SAME(p.revents, POLLIN | POLLOUT);
}

static void executed(void)
{
	int status;

	if (system("cp /bin/true prog && chmod 755 prog") != 0)
		fs_skip("no /bin/true");
	status = system("./prog");
	TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fs_write("script", "#!/bin/sh\nexit 3\n");
	OK(chmod("script", 0755));
	status = system("./script");
	TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	OK(chmod("script", 0644));
	ERR(access("script", X_OK), EACCES);
}

const struct fs_case fs_cases_io[] = {
	{ "io_ends_and_offsets", ends_and_offsets, false },
	{ "io_sizes_of_all_kinds", sizes_of_all_kinds, false },
	{ "io_direct", direct, false },
	{ "io_direct_meets_buffered", direct_meets_buffered, false },
	{ "io_append_from_many", append_from_many, false },
	{ "io_truncate_both_ways", truncate_both_ways, false },
	{ "io_sparse_and_seek", sparse_and_seek, false },
	{ "io_allocate", allocate, false },
	{ "io_synchronous", synchronous, false },
	{ "io_two_descriptors", two_descriptors, false },
	{ "io_copies_in_the_kernel", copies_in_the_kernel, false },
	{ "io_locks", locks, false },
	{ "io_ready_for_poll", ready_for_poll, false },
	{ "io_executed", executed, false },
	{ 0 },
};
