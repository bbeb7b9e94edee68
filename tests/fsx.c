// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random operations on one file, each followed by a comparison with the same operations in memory.
 * Usage: fsx [-n OPS] [-s SEED] [-l MAXBYTES] [-d] [-q] FILE
 *
 * Reads, writes, appends, truncates, punches, zeroes, maps, syncs and opens again; with -d also
 * through a second descriptor with O_DIRECT. The seed is printed; the last operations are, when
 * something differs.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/compiler.h"

#define HISTORY 64
#define SECTOR 512u

enum op {
	READ,
	WRITE,
	APPEND,
	TRUNCATE,
	PUNCH,
	ZERO,
	ALLOCATE,
	MAP_READ,
	MAP_WRITE,
	SYNC,
	REOPEN,
	NR_OPS
};

static const char *const op_names[] = { "read",	     "write", "append", "truncate",
					"punch",     "zero",  "alloc",	"map-read",
					"map-write", "sync",  "reopen" };

struct event {
	uint64_t number;
	enum op op;
	bool is_direct;
	uint64_t off, len;
};

static struct {
	const char *path;
	uint64_t ops, seed, max;
	bool use_direct, quiet;
	int fd, direct_fd;
	uint64_t random;
	uint8_t *want; /* max bytes: what the file holds, zeros behind its end */
	uint8_t *buf;
	uint64_t size;
	struct event history[HISTORY];
	uint64_t done;
} x = { .ops = 1000, .max = 1 << 20 };

static uint64_t draw(uint64_t below)
{
	x.random ^= x.random << 13;
	x.random ^= x.random >> 7;
	x.random ^= x.random << 17;
	return x.random % below;
}

static noreturn_ void fail(const char *what, uint64_t at)
{
	uint64_t first = x.done > HISTORY ? x.done - HISTORY : 0;

	for (uint64_t i = first; i <= x.done; i++) {
		const struct event *e = &x.history[i % HISTORY];

		fprintf(stderr, "%8" PRIu64 " %s%s %#" PRIx64 "..%#" PRIx64 "\n", e->number,
			op_names[e->op], e->is_direct ? " direct" : "", e->off, e->off + e->len);
	}
	fprintf(stderr,
		"fsx: %s: seed %" PRIu64 ", operation %" PRIu64 ": %s at %#" PRIx64 " (%s)\n",
		x.path, x.seed, x.done, what, at, strerror(errno));
	exit(1);
}

static void compare(const uint8_t *got, uint64_t off, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++) {
		if (got[i] != x.want[off + i]) {
			errno = 0;
			fprintf(stderr, "at %#" PRIx64 ": %02x, wanted %02x\n", off + i, got[i],
				x.want[off + i]);
			fail("content differs", off + i);
		}
	}
}

static int fd_for(struct event *e)
{
	if (!x.use_direct || draw(2) == 0)
		return x.fd;
	e->is_direct = true;
	e->off = align_down(e->off, SECTOR);
	e->len = max(align_down(e->len, SECTOR), (uint64_t)SECTOR);
	return x.direct_fd;
}

static void do_read(struct event *e)
{
	int fd = fd_for(e);
	ssize_t n = pread(fd, x.buf, e->len, (off_t)e->off);
	uint64_t want = e->off < x.size ? min(e->len, x.size - e->off) : 0;

	if (n < 0 || (uint64_t)n != want)
		fail("read: wrong length", (uint64_t)n);
	compare(x.buf, e->off, want);
}

static void fill(uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		x.buf[i] = (uint8_t)(x.done + i * 7 + (x.random >> (i % 8 * 8)));
}

static void wrote(uint64_t off, uint64_t len)
{
	memcpy(x.want + off, x.buf, len);
	x.size = max(x.size, off + len);
}

static void do_write(struct event *e)
{
	int fd = fd_for(e);
	ssize_t n;

	fill(e->len);
	n = pwrite(fd, x.buf, e->len, (off_t)e->off);
	if (n < 0 || (uint64_t)n != e->len)
		fail("write", (uint64_t)n);
	wrote(e->off, e->len);
}

static void do_append(struct event *e)
{
	int fd;

	e->off = x.size;
	e->len = min(e->len, x.max - x.size);
	if (e->len == 0)
		return;
	fd = open(x.path, O_WRONLY | O_APPEND);
	fill(e->len);
	if (fd < 0 || write(fd, x.buf, e->len) != (ssize_t)e->len)
		fail("append", e->off);
	close(fd);
	wrote(e->off, e->len);
}

static void do_truncate(struct event *e)
{
	if (ftruncate(x.fd, (off_t)e->off) < 0)
		fail("truncate", e->off);
	if (e->off < x.size)
		memset(x.want + e->off, 0, x.size - e->off);
	x.size = e->off;
}

static void do_fallocate(struct event *e)
{
	int mode = 0;

	if (e->op == PUNCH)
		mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	else if (e->op == ZERO)
		mode = FALLOC_FL_ZERO_RANGE | (draw(2) ? FALLOC_FL_KEEP_SIZE : 0);
	else
		mode = draw(2) ? FALLOC_FL_KEEP_SIZE : 0;
	if (fallocate(x.fd, mode, (off_t)e->off, (off_t)e->len) < 0) {
		if (errno == EOPNOTSUPP)
			return;
		fail("fallocate", e->off);
	}
	if (e->op != ALLOCATE && e->off < x.size)
		memset(x.want + e->off, 0, min(e->len, x.size - e->off));
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		x.size = max(x.size, e->off + e->len);
}

static void do_map(struct event *e)
{
	uint64_t start, end;
	uint8_t *p;

	if (e->off >= x.size)
		return;
	e->len = min(e->len, x.size - e->off);
	start = align_down(e->off, 4096);
	end = e->off + e->len;
	p = mmap(NULL, end - start, PROT_READ | (e->op == MAP_WRITE ? PROT_WRITE : 0), MAP_SHARED,
		 x.fd, (off_t)start);
	if (p == MAP_FAILED)
		fail("mmap", e->off);
	if (e->op == MAP_READ) {
		compare(p + (e->off - start), e->off, e->len);
	} else {
		fill(e->len);
		memcpy(p + (e->off - start), x.buf, e->len);
		wrote(e->off, e->len);
		if (draw(3) == 0 && msync(p, end - start, MS_SYNC) < 0)
			fail("msync", e->off);
	}
	munmap(p, end - start);
}

static void open_both(void)
{
	x.fd = open(x.path, O_RDWR | O_CREAT, 0644);
	if (x.fd < 0)
		fail("open", 0);
	x.direct_fd = x.use_direct ? open(x.path, O_RDWR | O_DIRECT) : -1;
	if (x.use_direct && x.direct_fd < 0)
		fail("open with O_DIRECT", 0);
}

static void do_reopen(void)
{
	/* Either one may be the last to go, and the first to come. */
	if (x.use_direct && draw(2)) {
		close(x.direct_fd);
		close(x.fd);
		open_both();
		return;
	}
	close(x.fd);
	if (draw(2))
		(void)!posix_fadvise(x.direct_fd, 0, 0, POSIX_FADV_DONTNEED);
	if (x.use_direct)
		close(x.direct_fd);
	open_both();
}

static void do_sync(void)
{
	struct stat st;

	if ((draw(2) ? fsync(x.fd) : fdatasync(x.fd)) < 0)
		fail("sync", 0);
	if (fstat(x.fd, &st) < 0 || (uint64_t)st.st_size != x.size)
		fail("fstat: wrong size", (uint64_t)st.st_size);
}

static void check_all(void)
{
	ssize_t n = pread(x.fd, x.buf, x.max, 0);

	if (n < 0 || (uint64_t)n != x.size)
		fail("whole file: wrong length", (uint64_t)n);
	compare(x.buf, 0, x.size);
}

static void step(void)
{
	struct event *e = &x.history[x.done % HISTORY];

	*e = (struct event){ .number = x.done, .op = (enum op)draw(NR_OPS) };
	/* Many small ones, some large ones. */
	e->len = 1 + draw(draw(4) ? min(x.max / 2, (uint64_t)20000) : x.max / 2);
	e->off = draw(x.max - e->len - SECTOR);
	switch (e->op) {
	case READ:
		do_read(e);
		break;
	case WRITE:
		do_write(e);
		break;
	case APPEND:
		do_append(e);
		break;
	case TRUNCATE:
		do_truncate(e);
		break;
	case PUNCH:
	case ZERO:
	case ALLOCATE:
		do_fallocate(e);
		break;
	case MAP_READ:
	case MAP_WRITE:
		do_map(e);
		break;
	case SYNC:
		do_sync();
		break;
	case REOPEN:
		do_reopen();
		break;
	case NR_OPS:
		break;
	}
}

static bool parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:s:l:dq")) != -1) {
		switch (c) {
		case 'n':
			x.ops = strtoull(optarg, NULL, 0);
			break;
		case 's':
			x.seed = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			x.max = strtoull(optarg, NULL, 0);
			break;
		case 'd':
			x.use_direct = true;
			break;
		case 'q':
			x.quiet = true;
			break;
		default:
			return false;
		}
	}
	x.path = argv[optind];
	return optind == argc - 1 && x.max >= 16384;
}

int main(int argc, char **argv)
{
	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: fsx [-n OPS] [-s SEED] [-l MAXBYTES] [-d] [-q] FILE\n");
		return 2;
	}
	if (x.seed == 0 && getrandom(&x.seed, 4, 0) != 4)
		return 2;
	if (!x.quiet)
		printf("fsx: seed %" PRIu64 "\n", x.seed);
	x.random = x.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	x.want = calloc(1, x.max + 4096);
	if (!x.want || posix_memalign((void *)&x.buf, 4096, x.max + 4096))
		return 2;
	open_both();
	if (ftruncate(x.fd, 0) < 0)
		fail("truncate", 0);
	for (; x.done < x.ops; x.done++) {
		step();
		if (draw(50) == 0)
			check_all();
	}
	check_all();
	return 0;
}
