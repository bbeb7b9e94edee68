// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory maps. */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fs_posix.h"

#define LEN (64u << 10)

static char *map(int fd, int prot, int flags)
{
	char *p = mmap(NULL, LEN, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		fs_fail(__FILE__, __LINE__, "mmap", -errno, 0);
	return p;
}

static int make(void)
{
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));
	char *buf = malloc(LEN);

	fs_pattern(buf, LEN, 3);
	SAME(pwrite(fd, buf, LEN, 0), LEN);
	free(buf);
	return fd;
}

static void shared(void)
{
	char want[LEN], got[LEN];
	int fd = make(), other = (int)OK(open("f", O_RDWR));
	char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	fs_pattern(want, LEN, 3);
	TRUE(memcmp(p, want, LEN) == 0);
	memcpy(p + 5000, "mapped", 6);
	SAME(pread(other, got, 6, 5000), 6);
	TRUE(memcmp(got, "mapped", 6) == 0);
	SAME(pwrite(other, "written", 7, 9000), 7);
	TRUE(memcmp(p + 9000, "written", 7) == 0);
	OK(msync(p, LEN, MS_SYNC));
	OK(munmap(p, LEN));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	memcpy(want + 5000, "mapped", 6);
	memcpy(want + 9000, "written", 7);
	SAME(pread(fd, got, LEN, 0), LEN);
	TRUE(memcmp(got, want, LEN) == 0);
}

/* What is mapped stays after close and unlink, and reaches the file without msync. */
static void outlives_descriptor(void)
{
	int fd = make();
	char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	OK(close(fd));
	memcpy(p, "after close", 11);
	OK(link("f", "g"));
	OK(unlink("f"));
	memcpy(p + 20, "after unlink", 12);
	OK(munmap(p, LEN));
	fd = (int)OK(open("g", O_RDONLY));
	p = map(fd, PROT_READ, MAP_SHARED);
	TRUE(memcmp(p, "after close", 11) == 0 && memcmp(p + 20, "after unlink", 12) == 0);
}

static void private(void)
{
	char got[8];
	int fd = make();
	char *p = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	memcpy(p, "PRIVATE", 7);
	OK(munmap(p, LEN));
	SAME(pread(fd, got, 7, 0), 7);
	TRUE(memcmp(got, "PRIVATE", 7) != 0);
}

static void rights(void)
{
	int ro, wo;

	OK(close(make()));
	ro = (int)OK(open("f", O_RDONLY));
	wo = (int)OK(open("f", O_WRONLY));
	TRUE(mmap(NULL, LEN, PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
	TRUE(mmap(NULL, LEN, PROT_READ, MAP_SHARED, wo, 0) == MAP_FAILED && errno == EACCES);
	map(ro, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static sigjmp_buf at_fault;

static void on_fault(int sig unused_)
{
	siglongjmp(at_fault, 1);
}

static void beyond_the_end(void)
{
	int fd = make();
	volatile char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	OK(ftruncate(fd, 5000));
	SAME(p[5000], 0);
	SAME(p[8191], 0);
	signal(SIGBUS, on_fault);
	if (sigsetjmp(at_fault, 1) == 0) {
		(void)p[8192];
		fs_fail(__FILE__, __LINE__, "no SIGBUS", 0, 1);
	}
	/* What was written behind the end in its page is not there after growth. */
	p[6000] = 'x';
	OK(ftruncate(fd, LEN));
	SAME(p[9000], 0);
}

/* Also where the page cache is bypassed, as while someone has the file open with O_DIRECT. */
static void beside_direct(void)
{
	static _Alignas(4096) char buf[4096];
	char got[6];
	int fd = make(), dio = open("f", O_RDWR | O_DIRECT), late;
	char *p;

	if (dio < 0 && errno == EINVAL)
		fs_skip("no O_DIRECT");
	OK(dio);
	late = (int)OK(open("f", O_RDWR));
	p = map(late, PROT_READ | PROT_WRITE, MAP_SHARED);
	memcpy(p + 4096, "mapped", 6);
	OK(msync(p, LEN, MS_SYNC));
	SAME(pread(dio, buf, 4096, 4096), 4096);
	TRUE(memcmp(buf, "mapped", 6) == 0);
	OK(munmap(p, LEN));
	memcpy(buf, "direct", 6);
	SAME(pwrite(dio, buf, 4096, 8192), 4096);
	SAME(pread(late, got, 6, 8192), 6);
	TRUE(memcmp(got, "direct", 6) == 0);
	p = map(dio, PROT_READ, MAP_SHARED);
	TRUE(memcmp(p + 4096, "mapped", 6) == 0 && memcmp(p + 8192, "direct", 6) == 0);
	OK(close(fd));
}

/* A search for data finds what is only mapped, or a copy of the file would lack it. */
static void seen_by_seek(void)
{
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));
	char *p;
	off_t data;

	OK(ftruncate(fd, LEN));
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	p[40000] = 'x';
	data = OK(lseek(fd, 0, SEEK_DATA));
	TRUE(data <= 40000);
	TRUE(OK(lseek(fd, data, SEEK_HOLE)) > 40000);
	SAME(pwrite(fd, "y", 1, LEN + 100000), 1);
	TRUE(OK(lseek(fd, LEN, SEEK_DATA)) <= (off_t)LEN + 100000);
	p[0] = 'z';
	SAME(lseek(fd, 0, SEEK_DATA), 0);
}

static void many_pages_by_two(void)
{
	enum {
		PAGES = 256,
		BYTES = PAGES * 4096
	};
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));
	unsigned char *p;
	pid_t pid;

	OK(ftruncate(fd, BYTES));
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUE(p != MAP_FAILED);
	pid = (pid_t)OK(fork());
	for (int i = pid ? 0 : 1; i < PAGES; i += 2)
		memset(p + i * 4096, i, 4096);
	if (pid == 0)
		_exit(0);
	fs_reap(pid);
	OK(msync(p, BYTES, MS_SYNC));
	for (int i = 0; i < PAGES; i++) {
		unsigned char b[4096];

		SAME(pread(fd, b, 4096, i * 4096), 4096);
		TRUE(b[0] == (unsigned char)i && b[4095] == (unsigned char)i);
	}
}

const struct fs_case fs_cases_map[] = {
	{ "map_shared", shared, false },
	{ "map_outlives_descriptor", outlives_descriptor, false },
	{ "map_private", private, false },
	{ "map_rights", rights, false },
	{ "map_beyond_the_end", beyond_the_end, false },
	{ "map_beside_direct", beside_direct, false },
	{ "map_seen_by_seek", seen_by_seek, false },
	{ "map_many_pages_by_two", many_pages_by_two, false },
	{ 0 },
};
