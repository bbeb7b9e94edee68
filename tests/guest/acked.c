// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A writer that tells another machine what is durable, and a checker that holds the files to it.
 *
 *	acked write ACKS BLOCKS INDEX=FILE@VERSION...
 *		writes until it is killed, one thread a file, from VERSION on; after each sync a
 *		line "@ack INDEX VERSION ." goes to ACKS
 *	acked check prefix|synced ACKED BLOCKS FILE
 *		the file has all up to version ACKED, and what it has beyond is, with "prefix",
 *		all up to one later version. Prints the highest version that is there.
 *
 * Write number v of a file goes to blocks that follow from v, and its content from v and the block,
 * so that no journal is needed. Version 0 is zeros. Only the last write may be there in part.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/compiler.h"

#define BLOCK 4096u
#define MOST_BLOCKS 16u
#define MAGIC UINT64_C(0x6c6361636b656421)

struct file {
	const char *path;
	unsigned int index;
	uint64_t blocks, version;
	int fd, acks;
	uint8_t *buf;
	pthread_t thread;
};

static uint64_t mix(uint64_t z)
{
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void range_of(uint64_t blocks, uint64_t version, uint64_t *first, uint64_t *count)
{
	uint64_t h = mix(version);

	*count = h % 4 ? 1 : 1 + (h >> 8) % MOST_BLOCKS;
	*first = (h >> 16) % (blocks - MOST_BLOCKS);
}

static void fill_block(uint8_t *buf, uint64_t block, uint64_t version)
{
	uint64_t word[BLOCK / 8] = { MAGIC, block, version };

	if (version == 0) {
		memset(buf, 0, BLOCK);
		return;
	}
	for (unsigned int i = 3; i < BLOCK / 8; i++)
		word[i] = mix(version << 32 ^ block << 10 ^ i);
	memcpy(buf, word, BLOCK);
}

/* ------------------------------------------------------------------ write */

static noreturn_ void die(const char *path, const char *what)
{
	fprintf(stderr, "acked: %s: %s: %s\n", path, what, strerror(errno));
	exit(1);
}

static void tell(const struct file *f)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "@ack %u %" PRIu64 " .\n", f->index, f->version);

	if (write(f->acks, line, (size_t)n) != n)
		die("acks", "write");
}

static void *write_file(void *arg)
{
	struct file *f = arg;

	for (;; f->version++) {
		uint64_t first, count;

		range_of(f->blocks, f->version, &first, &count);
		for (uint64_t i = 0; i < count; i++)
			fill_block(f->buf + i * BLOCK, first + i, f->version);
		if (pwrite(f->fd, f->buf, count * BLOCK, (off_t)(first * BLOCK)) !=
		    (ssize_t)(count * BLOCK))
			die(f->path, "write");
		if (mix(~f->version) % 8)
			continue;
		if (fdatasync(f->fd) < 0)
			die(f->path, "fdatasync");
		tell(f);
	}
	return NULL;
}

/* INDEX=FILE@VERSION */
static void parse_file(struct file *f, char *word)
{
	char *path = strchr(word, '='), *version = strrchr(word, '@');

	if (!path || !version || version < path)
		exit(2);
	*version = '\0';
	f->path = path + 1;
	f->index = (unsigned int)strtoul(word, NULL, 10);
	f->version = strtoull(version + 1, NULL, 10);
	f->version += f->version == 0;
}

static int write_files(int argc, char **argv)
{
	static struct file files[16];
	int acks = open(argv[0], O_WRONLY | O_NOCTTY | O_APPEND);
	uint64_t blocks = strtoull(argv[1], NULL, 10);

	if (acks < 0 || blocks <= MOST_BLOCKS || argc > 18)
		return 2;
	for (int i = 2; i < argc; i++) {
		struct file *f = &files[i - 2];

		parse_file(f, argv[i]);
		f->blocks = blocks;
		f->acks = acks;
		f->fd = open(f->path, O_RDWR | O_DIRECT);
		f->buf = aligned_alloc(BLOCK, MOST_BLOCKS * BLOCK);
		if (f->fd < 0 || !f->buf)
			die(f->path, "open");
		if (pthread_create(&f->thread, NULL, write_file, f) != 0)
			return 1;
	}
	pause();
	return 0;
}

/* ------------------------------------------------------------------ check */

/* The version that the block says it has; ~0 if it is damaged. */
static uint64_t version_of(const uint8_t *at, uint64_t block)
{
	uint64_t head[3];
	uint8_t want[BLOCK];

	memcpy(head, at, sizeof(head));
	fill_block(want, block, head[0] == MAGIC ? head[2] : 0);
	if (memcmp(at, want, BLOCK) != 0)
		return UINT64_MAX;
	return head[0] == MAGIC ? head[2] : 0;
}

static uint64_t *read_versions(const char *path, uint64_t blocks)
{
	uint64_t *found = calloc(blocks, sizeof(*found));
	int fd = open(path, O_RDONLY);
	uint8_t buf[BLOCK];

	if (fd < 0 || !found)
		die(path, "open");
	for (uint64_t b = 0; b < blocks; b++) {
		if (pread(fd, buf, BLOCK, (off_t)(b * BLOCK)) != BLOCK)
			die(path, "read");
		found[b] = version_of(buf, b);
	}
	close(fd);
	return found;
}

/* want[b]: the last write up to version that has block b. */
static uint64_t *expected(uint64_t blocks, uint64_t version)
{
	uint64_t *want = calloc(blocks, sizeof(*want));

	if (!want)
		exit(1);
	for (uint64_t v = 1; v <= version; v++) {
		uint64_t first, count;

		range_of(blocks, v, &first, &count);
		for (uint64_t i = 0; i < count; i++)
			want[first + i] = v;
	}
	return want;
}

static bool block_is_right(const char *path, uint64_t block, uint64_t found, uint64_t least,
			   uint64_t most)
{
	if (found >= least && found <= most)
		return true;
	fprintf(stderr, "acked: %s: block %" PRIu64 " has version %" PRId64 ", not %" PRIu64, path,
		block, (int64_t)found, least);
	fprintf(stderr, most > least ? " or later\n" : "\n");
	return false;
}

static int check_file(bool is_prefix, uint64_t acked, uint64_t blocks, const char *path)
{
	uint64_t *found = read_versions(path, blocks), highest = 0;
	uint64_t *least, *want, first, count;
	int bad = 0;

	for (uint64_t b = 0; b < blocks; b++) {
		if (found[b] != UINT64_MAX && found[b] > highest)
			highest = found[b];
	}
	/* The last write may be there in part, but all before it must be, unless only what was
	 * synced counts. */
	least = expected(blocks, is_prefix && highest > acked ? highest - 1 : acked);
	want = expected(blocks, highest);
	range_of(blocks, highest, &first, &count);
	for (uint64_t b = 0; b < blocks; b++) {
		if (is_prefix && highest > acked && b >= first && b < first + count)
			bad += !block_is_right(path, b, found[b], least[b], highest);
		else if (is_prefix)
			bad += !block_is_right(path, b, found[b], want[b], want[b]);
		else
			bad += !block_is_right(path, b, found[b], least[b], highest);
	}
	if (highest < acked) {
		fprintf(stderr, "acked: %s: ends at version %" PRIu64 ", not %" PRIu64 "\n", path,
			highest, acked);
		bad++;
	}
	printf("%" PRIu64 "\n", highest);
	free(found);
	free(least);
	free(want);
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc > 4 && strcmp(argv[1], "write") == 0)
		return write_files(argc - 2, argv + 2);
	if (argc == 6 && strcmp(argv[1], "check") == 0)
		return check_file(strcmp(argv[2], "prefix") == 0, strtoull(argv[3], NULL, 10),
				  strtoull(argv[4], NULL, 10), argv[5]);
	fprintf(stderr, "acked: wrong usage: see the head of acked.c\n");
	return 2;
}
