// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A writer that knows what must be there after a crash of the filesystem it writes to.
 *
 *	verifier init JOURNAL FILES SECTORS SEED   a new journal for so many files and sectors
 *	verifier write [-d] [-e] [-p] [-u] [-s] [-t SECONDS] [-l LOG] JOURNAL FILE...
 *		write, one thread a file, until the time is over or TERM comes (status 0) or the
 *		filesystem dies below it (status 0 too: that is what it is for); -d with O_DIRECT,
 *		-e although the backing store refuses some, -p without punches, which wait for the
 *		backing store, -u without ever syncing, -s with no filesystem that is allowed to
 *		die, -l with a line in LOG for each operation, for whoever looks for a mistake
 *	verifier check [-d] [-m] JOURNAL FILE...   everything that was acknowledged is there
 *	verifier random FILE BYTES SEED            a file whose content follows from SEED
 *
 * The journal is a file on another filesystem, mapped and shared, so that it outlives this process
 * too. For each sector it has the version that was last acknowledged; 0 stands for zeros. A
 * version's 512 bytes follow from seed, file, sector and version. What was in flight at the end may
 * be there or not, but not one part of a 4 KiB block and not the other; check notes what it finds.
 *
 * Both take -x LIST: blocks that may be unreadable (EIO), as in verifier_bad.c. check prints those
 * that are, and with -m writes them anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "tests/verifier.h"

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t below(struct run *r, uint64_t limit)
{
	return next_random(&r->random) % limit;
}

/* ------------------------------------------------------------------ content */

static void fill_random(uint8_t *buf, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word = next_random(&seed);

		memcpy(buf + i, &word, min_t(size_t, 8, bytes - i));
	}
}

void verifier_fill_sector(const struct run *r, uint8_t *buf, uint64_t sector, uint64_t version)
{
	uint64_t head[4] = { JOURNAL_MAGIC, r->index, sector, version };

	if (version == 0) {
		memset(buf, 0, SECTOR);
		return;
	}
	memcpy(buf, head, sizeof(head));
	fill_random(buf + sizeof(head), SECTOR - sizeof(head),
		    r->j->seed ^ (uint64_t)r->index << 56 ^ sector << 28 ^ version);
}

static bool sector_is(const struct run *r, const uint8_t *buf, uint64_t sector, uint64_t version)
{
	uint8_t want[SECTOR];

	verifier_fill_sector(r, want, sector, version);
	return memcmp(buf, want, SECTOR) == 0;
}

static void describe(const struct run *r, const uint8_t *buf, uint64_t sector)
{
	uint64_t head[4];

	memcpy(head, buf, sizeof(head));
	fprintf(stderr, "%s: sector %" PRIu64 ": acknowledged version %" PRIu32 ", found ", r->path,
		sector, r->versions[sector]);
	if (head[0] == JOURNAL_MAGIC)
		fprintf(stderr, "file %" PRIu64 " sector %" PRIu64 " version %" PRIu64 "%s\n",
			head[1], head[2], head[3],
			sector_is(r, buf, sector, head[3]) ? "" : ", damaged");
	else
		fprintf(stderr, "bytes %016" PRIx64 " %016" PRIx64 "\n", head[0], head[1]);
}

/* ------------------------------------------------------------------ check */

/*
 * The sectors of one block that were in flight: all old or all new. Returns whether, and notes
 * which.
 */
static bool settle_block(struct run *r, const uint8_t *buf, uint64_t first, uint64_t count)
{
	const struct journal_file *f = &r->j->file[r->index];
	bool is_old = true, is_new = true;

	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *at = buf + i * SECTOR;

		is_old = is_old && sector_is(r, at, first + i, r->versions[first + i]);
		is_new = is_new && sector_is(r, at, first + i, f->version);
	}
	for (uint64_t i = 0; is_new && i < count; i++)
		r->versions[first + i] = (uint32_t)f->version;
	if (!is_old && !is_new) {
		fprintf(stderr,
			"%s: a block of the write in flight (version %" PRIu64 ") is mixed:\n",
			r->path, f->version);
		for (uint64_t i = 0; i < count; i++)
			describe(r, buf + i * SECTOR, first + i);
	}
	return is_old || is_new;
}

/* The sectors [first, first + count), which are in buf; count at the most to the block's end. */
static bool check_part(struct run *r, const uint8_t *buf, uint64_t first, uint64_t count)
{
	const struct journal_file *f = &r->j->file[r->index];
	uint64_t end = first + count;
	uint64_t from = max(first, f->first), to = min(end, f->first + f->count);
	bool is_right = true;

	for (uint64_t s = first; s < end; s++) {
		const uint8_t *at = buf + (s - first) * SECTOR;

		if ((s >= from && s < to) || sector_is(r, at, s, r->versions[s]))
			continue;
		describe(r, at, s);
		is_right = false;
	}
	if (from < to && !settle_block(r, buf + (from - first) * SECTOR, from, to - from))
		is_right = false;
	return is_right;
}

/* All of it: what is short may be the end of a file or of its daemon; the next call says which. */
static ssize_t read_all(struct run *r, size_t bytes, off_t off)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(r->fd, r->buf + done, bytes - done, off + (off_t)done);

		if (n <= 0)
			return n < 0 ? n : (ssize_t)done;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

bool verifier_check_range(struct run *r, uint64_t first, uint64_t count)
{
	ssize_t n = read_all(r, count * SECTOR, (off_t)(first * SECTOR));
	uint64_t end = first + count;
	bool is_right = true;

	if (n < 0 && errno == EIO && r->bad_path)
		return bad_check_range(r, first, count);
	if (n != (ssize_t)(count * SECTOR)) {
		fprintf(stderr, "%s: read of %" PRIu64 " sectors at %" PRIu64 " gives %zd (%s)\n",
			r->path, count, first, n, n < 0 ? strerror(errno) : "short");
		return false;
	}
	for (uint64_t s = first; s < end;) {
		uint64_t part = min(end - s, SECTORS_A_BLOCK - s % SECTORS_A_BLOCK);

		if (!check_part(r, r->buf + (s - first) * SECTOR, s, part))
			is_right = false;
		s += part;
	}
	return is_right;
}

static void *check_file(void *arg)
{
	struct run *r = arg;

	for (uint64_t s = 0; s < r->j->sectors; s += CHUNK_SECTORS) {
		if (!verifier_check_range(r, s, min_t(uint64_t, CHUNK_SECTORS, r->j->sectors - s)))
			r->has_failed = true;
	}
	if (!r->has_failed)
		r->has_failed = !bad_end_check(r);
	return NULL;
}

/* ------------------------------------------------------------------ write */

/*
 * Is it what a filesystem says whose daemon has died? A read by way of the page cache ends with EIO
 * then, which alone proves nothing: the next request must say more, at the latest when the dying
 * process has let go of its descriptors.
 */
static bool is_death(const struct run *r, int err)
{
	const struct timespec pause = { .tv_nsec = 10 * NSEC_PER_MSEC };

	for (int tries = 0; err == EIO && tries < 200; tries++) {
		nanosleep(&pause, NULL);
		if (fdatasync(r->fd) < 0)
			err = errno;
	}
	return !r->is_strict &&
	       (err == ENOTCONN || err == ECONNABORTED || err == ECANCELED);
}

static void note(const struct run *r, const char *what, uint64_t first, uint64_t count,
		 uint64_t version)
{
	if (r->log)
		fprintf(r->log,
			"%" PRIu64 " file %" PRIu32 " %s sectors %" PRIu64 " to %" PRIu64
			" version %" PRIu64 "\n",
			clock_mono_ns(), r->index, what, first, first + count - 1, version);
}

void verifier_begin(struct run *r, uint64_t first, uint64_t count, uint64_t version)
{
	struct journal_file *f = &r->j->file[r->index];

	note(r, version ? "write" : "punch", first, count, version);
	f->first = first;
	f->version = version;
	__atomic_store_n(&f->count, count, __ATOMIC_SEQ_CST);
}

void verifier_acknowledge(struct run *r)
{
	struct journal_file *f = &r->j->file[r->index];

	note(r, "done", f->first, f->count, f->version);
	for (uint64_t i = 0; i < f->count; i++)
		r->versions[f->first + i] = (uint32_t)f->version;
	__atomic_store_n(&f->count, 0, __ATOMIC_SEQ_CST);
}

/* Small and large, aligned to blocks and not. */
static uint64_t pick_count(struct run *r)
{
	switch (below(r, 8)) {
	case 0:
		return 1;
	case 1:
		return 1 + below(r, SECTORS_A_BLOCK);
	case 2:
		return 1 + below(r, 64);
	case 3:
		return 1 + below(r, CHUNK_SECTORS);
	default:
		return SECTORS_A_BLOCK;
	}
}

static void pick_range(struct run *r, uint64_t *first, uint64_t *count)
{
	*count = min(pick_count(r), r->j->sectors);
	*first = below(r, r->j->sectors - *count + 1);
	if (*count % SECTORS_A_BLOCK == 0)
		*first -= *first % SECTORS_A_BLOCK;
}

static int do_write(struct run *r)
{
	struct journal_file *f = &r->j->file[r->index];
	int flags = !r->is_unsynced && below(r, 16) == 0 ? RWF_DSYNC : 0;
	uint64_t first, count;
	struct iovec iov;
	ssize_t n;

	pick_range(r, &first, &count);
	verifier_begin(r, first, count, ++f->next_version);
	for (uint64_t i = 0; i < count; i++)
		verifier_fill_sector(r, r->buf + i * SECTOR, first + i, f->version);
	iov = (struct iovec){ r->buf, count * SECTOR };
	n = pwritev2(r->fd, &iov, 1, (off_t)(first * SECTOR), flags);
	if (n < 0)
		return errno;
	if (n != (ssize_t)iov.iov_len)
		return r->may_refuse ? ENOSPC : EIO;
	verifier_acknowledge(r);
	f->writes++;
	return 0;
}

static int do_punch(struct run *r)
{
	uint64_t first, count;

	pick_range(r, &first, &count);
	verifier_begin(r, first, count, 0);
	if (fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(first * SECTOR),
		      (off_t)(count * SECTOR)) < 0)
		return errno;
	verifier_acknowledge(r);
	r->j->file[r->index].punches++;
	return 0;
}

static int do_sync(struct run *r)
{
	if (fdatasync(r->fd) < 0)
		return errno;
	r->j->file[r->index].syncs++;
	note(r, "synced", 0, 1, 0);
	return 0;
}

static int do_read(struct run *r)
{
	uint64_t first, count;

	pick_range(r, &first, &count);
	errno = 0;
	if (verifier_check_range(r, first, count))
		return 0;
	return errno ? errno : EILSEQ;
}

static int do_something(struct run *r)
{
	uint64_t dice = below(r, 100);

	if (dice < 4 && !r->has_no_punches)
		return do_punch(r);
	if (dice < 12)
		return do_read(r);
	if (dice < 22 && !r->is_unsynced)
		return do_sync(r);
	return do_write(r);
}

static volatile sig_atomic_t is_ending;

static void catch_term(int signal)
{
	(void)signal;
	is_ending = 1;
}

/* What the backing store refused has happened or not: that is seen at once. */
static int settle_refused(struct run *r, int err)
{
	const struct timespec pause = { .tv_nsec = 50 * NSEC_PER_MSEC };
	struct journal_file *f = &r->j->file[r->index];
	uint64_t first = f->first - f->first % SECTORS_A_BLOCK;

	if (err == EIO && r->bad_path && f->count)
		return bad_settle(r) ? 0 : err;
	if (!r->may_refuse || (err != ENOSPC && err != EDQUOT && err != EROFS))
		return err;
	if (f->count && !verifier_check_range(r, first, f->first + f->count - first))
		return err;
	f->count = 0;
	nanosleep(&pause, NULL);
	return 0;
}

static void *write_file(void *arg)
{
	struct run *r = arg;
	int err = 0;

	while (!err && !is_ending && clock_mono_ns() < r->end_ns) {
		err = do_something(r);
		if (err)
			err = settle_refused(r, err);
	}
	if (err && !is_death(r, err)) {
		fprintf(stderr, "%s: %s\n", r->path, strerror(err));
		r->has_failed = true;
	}
	return NULL;
}

/* ------------------------------------------------------------------ the program */

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*end || end == text) {
		fprintf(stderr, "verifier: '%s' is no number\n", text);
		exit(2);
	}
	return n;
}

static size_t journal_bytes(uint64_t files, uint64_t sectors)
{
	return sizeof(struct journal) + files * sizeof(struct journal_file) +
	       files * sectors * sizeof(uint32_t);
}

static struct journal *journal_map(const char *path, bool is_new, size_t bytes)
{
	int fd = open(path, O_RDWR | (is_new ? O_CREAT | O_TRUNC : 0), 0600);
	struct journal *j;
	struct stat st;

	if (fd < 0 || (is_new && ftruncate(fd, (off_t)bytes) < 0) || fstat(fd, &st) < 0) {
		perror(path);
		exit(2);
	}
	j = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (j == MAP_FAILED || (!is_new && j->magic != JOURNAL_MAGIC)) {
		fprintf(stderr, "%s: no journal\n", path);
		exit(2);
	}
	return j;
}

static int init(char **argv)
{
	uint64_t files = number(argv[1]), sectors = number(argv[2]);
	struct journal *j = journal_map(argv[0], true, journal_bytes(files, sectors));

	j->files = files;
	j->sectors = sectors;
	j->seed = number(argv[3]);
	j->magic = JOURNAL_MAGIC;
	return 0;
}

static void start_run(struct run *r, struct journal *j, uint32_t index, const char *path)
{
	char *versions = (char *)j + journal_bytes(j->files, 0);

	r->j = j;
	r->index = index;
	r->path = path;
	r->versions = (uint32_t *)(void *)versions + index * j->sectors;
	/* another sequence each time, the same for the same journal */
	r->random = j->seed + index + (j->file[index].next_version << 16);
	r->fd = open(path, O_RDWR | (r->is_direct ? O_DIRECT : 0));
	if (r->fd < 0) {
		perror(path);
		exit(2);
	}
	r->buf = aligned_alloc(4096, CHUNK_SECTORS * SECTOR);
	r->is_bad = calloc(j->sectors / SECTORS_A_BLOCK + 1, 1);
	if (!r->buf || !r->is_bad)
		exit(2);
}

/* One thread a file; true if none has failed. */
static bool run_all(struct run *runs, uint64_t n, void *(*fn)(void *))
{
	pthread_t threads[64];
	bool is_right = true;

	for (uint64_t i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, fn, &runs[i]) != 0)
			exit(2);
	}
	for (uint64_t i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		is_right = is_right && !runs[i].has_failed;
		close(runs[i].fd);
		free(runs[i].buf);
		free(runs[i].is_bad);
	}
	return is_right;
}

static int write_or_check(bool is_write, int argc, char **argv)
{
	struct run runs[64] = { 0 }, like = { .end_ns = UINT64_MAX };
	struct journal *j;
	int option;

	while ((option = getopt(argc, argv, "+dempust:l:x:")) != -1) {
		if (option == 'd')
			like.is_direct = true;
		else if (option == 'e')
			like.may_refuse = true;
		else if (option == 'p')
			like.has_no_punches = true;
		else if (option == 'u')
			like.is_unsynced = true;
		else if (option == 's')
			like.is_strict = true;
		else if (option == 'm')
			like.may_mend = true;
		else if (option == 'x')
			like.bad_path = optarg;
		else if (option == 'l')
			like.log = fopen(optarg, "ae");
		else if (option == 't')
			like.end_ns = clock_mono_ns() + number(optarg) * NSEC_PER_SEC;
		else
			return 2;
	}
	if (argc - optind < 2)
		return 2;
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = catch_term, .sa_flags = SA_RESTART },
		  NULL);
	j = journal_map(argv[optind], false, 0);
	if (j->files != (uint64_t)(argc - optind - 1) || j->files > array_size(runs))
		return 2;
	for (uint32_t i = 0; i < j->files; i++) {
		if (is_write && j->file[i].count) {
			fprintf(stderr, "verifier: check first what the last write left\n");
			return 2;
		}
		runs[i] = like;
		start_run(&runs[i], j, i, argv[optind + 1 + (int)i]);
	}
	if (!run_all(runs, j->files, is_write ? write_file : check_file))
		return 1;
	if (like.log && fclose(like.log) != 0)
		return 1;
	for (uint32_t i = 0; i < j->files; i++)
		printf("%s: %" PRIu64 " writes, %" PRIu64 " syncs, %" PRIu64 " punches\n",
		       runs[i].path, j->file[i].writes, j->file[i].syncs, j->file[i].punches);
	return 0;
}

static int make_random(char **argv)
{
	static uint8_t buf[1 << 16];
	uint64_t bytes = number(argv[1]), seed = number(argv[2]);
	FILE *f = fopen(argv[0], "we");

	if (!f) {
		perror(argv[0]);
		return 2;
	}
	for (uint64_t done = 0; done < bytes; done += sizeof(buf)) {
		size_t n = min_t(size_t, sizeof(buf), bytes - done);

		fill_random(buf, n, seed + done);
		if (fwrite(buf, 1, n, f) != n)
			break;
	}
	if (ferror(f) | fclose(f)) {
		perror(argv[0]);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "init") == 0 && argc == 6)
		return init(argv + 2);
	if (strcmp(verb, "random") == 0 && argc == 5)
		return make_random(argv + 2);
	if (strcmp(verb, "write") == 0 || strcmp(verb, "check") == 0) {
		int ret = write_or_check(verb[0] == 'w', argc - 1, argv + 1);

		if (ret != 2)
			return ret;
	}
	fprintf(stderr, "verifier: wrong usage or no such file: see the head of verifier.c\n");
	return 2;
}
