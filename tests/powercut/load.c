// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The workload of the power cut test, and who looks afterwards.
 *
 *	load new JOURNAL SEED [moves]
 *		moves: the mount that is written to has two caches, and images are moved between
 *		them and to none (homes.h)
 *	load write JOURNAL MARK SECONDS DIR DBDIR|-
 *		a thread for each raw image below DIR, one for files there that live shortly, one
 *		for the file of a database in DBDIR, the root of a filesystem on an image. Each
 *		promise is a line in MARK: "s IMAGE OPERATION NAMES" when a sync has returned, "u
 *		IMAGE" before a name goes, "g IMAGE" when it is durably gone
 *	load die ...
 *		the same, and the death of the filesystem is no failure
 *	load sync JOURNAL MARK DIR
 *		syncs the raw images, and promises all that was answered
 *	load check JOURNAL MARKS DIR [DBDIR]
 *		what is there is what the promises in MARKS, a file of such lines, allow; prints a
 *		sum over what it has found. Status 1 if not
 *	load settle JOURNAL MARKS DIR
 *		after a check: from now on JOURNAL, a copy of the other one, says that what is there
 *		is how it began; the database stays out of this
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "tests/fake/rng.h"
#include "tests/powercut/check.h"
#include "tests/powercut/homes.h"
#include "tests/powercut/journal.h"

#define CHUNK_SECTORS 1024u
#define DB_BLOCKS 256u

struct writer {
	struct pc_journal *j;
	struct pc_image *img;
	struct homes *homes; /* or NULL */
	struct pc_stay stay; /* when the operation began */
	uint32_t index;
	int dir, fd, mark;
	uint64_t end_ns;
	struct rng rng;
	uint8_t *buf; /* CHUNK_SECTORS, aligned */
};

static bool may_die; /* the filesystem */

static void must_do(const struct writer *w, const char *what, bool is_good)
{
	char text[80];

	if (is_good)
		return;
	/* 0: a write that ended early */
	if (may_die && (errno == 0 || errno == ENOTCONN || errno == ECONNABORTED || errno == EIO))
		pthread_exit(NULL);
	snprintf(text, sizeof(text), "image %" PRIu32 ": %s", w->index, what);
	pc_die(text, strerror(errno));
}

static uint32_t below(struct writer *w, uint32_t n)
{
	return (uint32_t)rng_below(&w->rng, n);
}

static void say(const struct writer *w, const char *format, ...) printf_like(2, 3);
static void say(const struct writer *w, const char *format, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	must_do(w, "mark", write(w->mark, text, (size_t)n) == n);
}

/* ------------------------------------------------------------------ operations */

static uint32_t size_now(const struct writer *w)
{
	return w->img->nr_ops ? w->img->ops[w->img->nr_ops - 1].size : w->img->base_size;
}

static bool has_room(const struct writer *w)
{
	return w->img->nr_ops < OPS;
}

static struct pc_op *begin(struct writer *w, enum pc_kind kind, uint32_t first, uint32_t count,
			   uint32_t size)
{
	struct pc_op *op = &w->img->ops[w->img->nr_ops];

	*op = (struct pc_op){ .kind = kind, .first = first, .count = count, .size = size };
	op->home = HOME_UNKNOWN;
	op->is_loose = w->homes != NULL;
	w->stay = homes_begin(w->j, w->index);
	op->issued = atomic_fetch_add(&w->j->clock, 1);
	w->img->nr_ops++;
	return op;
}

static void end(struct writer *w, struct pc_op *op)
{
	op->answered = atomic_fetch_add(&w->j->clock, 1);
	if (w->homes)
		homes_note(w->j, w->index, w->stay, op);
	w->img->nr_answered = w->img->nr_ops;
}

/* All operations of this image so far are promised. */
static void promise(const struct writer *w)
{
	say(w, "s %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", w->index, w->img->nr_ops, w->img->gen);
}

static void do_write(struct writer *w, uint32_t first, uint32_t count, bool is_dsync)
{
	struct pc_op *op = begin(w, PC_WRITE, first, count, max(size_now(w), first + count));
	struct iovec iov = { w->buf, (size_t)count * SECTOR };

	for (uint32_t i = 0; i < count; i++)
		pc_fill(w->j, w->buf + i * SECTOR, w->index, first + i,
			w->img->first_version + w->img->nr_ops);
	errno = 0;
	must_do(w, "write",
		pwritev2(w->fd, &iov, 1, (off_t)first * SECTOR, is_dsync ? RWF_DSYNC : 0) ==
			(ssize_t)iov.iov_len);
	end(w, op);
	if (is_dsync)
		promise(w);
}

static void do_punch(struct writer *w, uint32_t first, uint32_t count)
{
	struct pc_op *op = begin(w, PC_PUNCH, first, count, size_now(w));

	must_do(w, "punch",
		fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first * SECTOR,
			  (off_t)count * SECTOR) == 0);
	end(w, op);
}

static void do_truncate(struct writer *w, uint32_t size)
{
	struct pc_op *op = begin(w, PC_TRUNCATE, 0, 0, size);

	must_do(w, "truncate", ftruncate(w->fd, (off_t)size * SECTOR) == 0);
	end(w, op);
}

static void do_sync(struct writer *w)
{
	must_do(w, "sync", (below(w, 2) ? fdatasync(w->fd) : fsync(w->fd)) == 0);
	promise(w);
}

static void do_rename(struct writer *w)
{
	char from[32], to[32];

	pc_name(w->index, w->img->gen, from, sizeof(from));
	pc_name(w->index, w->img->gen + 1, to, sizeof(to));
	w->img->gen++;
	must_do(w, "rename", renameat(w->dir, from, w->dir, to) == 0);
}

/* Small and large, aligned to blocks and not. */
static void write_somewhere(struct writer *w, uint32_t sectors)
{
	uint32_t dice = below(w, 20), first, count;

	if (dice < 12)
		count = SECTORS_A_BLOCK * (1 + below(w, 4));
	else if (dice < 16)
		count = 1 + below(w, 24);
	else
		count = 1 + below(w, below(w, 4) ? CHUNK_SECTORS / 8 : CHUNK_SECTORS);
	count = min(count, sectors);
	first = below(w, sectors - count + 1);
	if (count % SECTORS_A_BLOCK == 0)
		first -= first % SECTORS_A_BLOCK;
	do_write(w, first, count, below(w, 12) == 0);
}

static void do_something(struct writer *w, uint32_t sectors)
{
	uint32_t dice = below(w, 100), first = below(w, sectors);

	if (dice < 66)
		write_somewhere(w, sectors);
	else if (dice < 90)
		do_sync(w);
	else if (dice < 95)
		do_punch(w, first, 1 + below(w, min(sectors - first, CHUNK_SECTORS / 4)));
	else if (dice < 97)
		do_truncate(w, sectors / 2 + below(w, sectors / 2));
	else if (dice < 99)
		do_truncate(w, sectors);
	else if (w->index < NR_RAW)
		do_rename(w);
}

/* ------------------------------------------------------------------ threads */

static void open_image(struct writer *w, int flags)
{
	char name[32];

	pc_name(w->index, w->img->gen, name, sizeof(name));
	w->fd = openat(w->dir, name, O_RDWR | O_CLOEXEC | flags, 0644);
	must_do(w, name, w->fd >= 0);
	if (w->index != FIRST_DB)
		homes_opened(w->homes, w->index);
}

/* Journalled before it is tried: whoever is cut off in between does not know whether it has been
 * made. */
static void create_image(struct writer *w, int flags)
{
	struct pc_op *op = begin(w, PC_CREATE, 0, 0, 0);

	open_image(w, O_CREAT | O_EXCL | flags);
	end(w, op);
}

/* Half of them directly. With pauses: it is events that count, not bytes. */
static void *raw_thread(void *arg)
{
	struct writer *w = arg;
	const struct timespec pause = { .tv_nsec = 3 * NSEC_PER_MSEC };
	bool is_new = w->img->nr_ops == 0 && !w->img->base_exists;

	if (is_new)
		create_image(w, w->index % 2 ? O_DIRECT : 0);
	else
		open_image(w, w->index % 2 ? O_DIRECT : 0);
	while (clock_mono_ns() < w->end_ns && has_room(w)) {
		do_something(w, IMAGE_SECTORS);
		nanosleep(&pause, NULL);
	}
	close(w->fd);
	return NULL;
}

/* Between two visits the file is migrated and left alone; modes are as fleeting as data. */
static void *quiet_thread(void *arg)
{
	struct writer *w = arg;
	const struct timespec pause = { .tv_nsec = 250 * (long)NSEC_PER_MSEC };
	bool is_new = w->img->nr_ops == 0 && !w->img->base_exists;

	while (clock_mono_ns() < w->end_ns && w->img->nr_ops + 4 < OPS) {
		if (is_new)
			create_image(w, 0);
		else
			open_image(w, 0);
		if (!is_new && below(w, 3) == 0)
			must_do(w, "mode", fchmod(w->fd, 0600 + below(w, 64)) == 0);
		is_new = false;
		for (uint32_t n = 1 + below(w, 3); n; n--)
			write_somewhere(w, IMAGE_SECTORS / 4);
		if (below(w, 4) == 0)
			do_sync(w);
		if (below(w, 8) == 0)
			do_rename(w);
		close(w->fd);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* A few blocks, synced, again and again: as in a database. */
static void *db_thread(void *arg)
{
	struct writer *w = arg;
	bool is_new = w->img->nr_ops == 0 && !w->img->base_exists;

	if (w->dir < 0)
		return NULL;
	if (!is_new) {
		open_image(w, 0);
	} else {
		create_image(w, 0);
		for (uint32_t i = 0; i < DB_BLOCKS; i += 128)
			do_write(w, i * SECTORS_A_BLOCK, 128 * SECTORS_A_BLOCK, false);
		do_sync(w);
	}
	while (clock_mono_ns() < w->end_ns && w->img->nr_ops + 4 < OPS) {
		for (uint32_t n = 1 + below(w, 4); n; n--)
			do_write(w, below(w, DB_BLOCKS) * SECTORS_A_BLOCK, SECTORS_A_BLOCK, false);
		do_sync(w);
	}
	close(w->fd);
	return NULL;
}

static void sync_dir(const struct writer *w)
{
	int fd = openat(w->dir, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must_do(w, "sync of the directory", fd >= 0 && fsync(fd) == 0);
	close(fd);
}

/* The name of another image goes, by an unlink or because this one takes it. */
static void end_of(struct writer *w, uint32_t other, bool is_replaced)
{
	char name[32];

	say(w, "u %" PRIu32 "\n", other);
	w->j->image[other].is_gone = 1;
	if (is_replaced) {
		do_rename(w);
	} else {
		pc_name(other, 1, name, sizeof(name));
		must_do(w, "unlink", unlinkat(w->dir, name, 0) == 0);
	}
	if (below(w, 2)) {
		sync_dir(w);
		say(w, "g %" PRIu32 "\n", other);
		if (is_replaced)
			promise(w);
	}
}

/* A new file, which takes the name of an older one, or the place of one that has gone. */
static void live_shortly(struct writer *w, uint32_t *slot)
{
	uint32_t sectors = SECTORS_A_BLOCK * (1 + below(w, 64)), nr = 1 + below(w, 6);

	create_image(w, below(w, 2) ? O_DIRECT : 0);
	do_write(w, 0, SECTORS_A_BLOCK, false);
	for (uint32_t i = 0; i < nr; i++)
		write_somewhere(w, sectors);
	if (below(w, 4))
		do_sync(w);
	if (*slot && below(w, 3) == 0) {
		end_of(w, *slot, false);
		*slot = 0;
	}
	if (*slot)
		end_of(w, *slot, true);
	else
		do_rename(w);
	*slot = w->index;
	if (below(w, 2))
		write_somewhere(w, sectors);
	close(w->fd);
}

/* The image that has the slot since an earlier call of this program, or 0. */
static uint32_t slot_owner(const struct writer *w, uint32_t slot)
{
	uint32_t owner = 0;

	for (uint32_t i = FIRST_SHORT; i < w->j->next_short; i++) {
		const struct pc_image *img = &w->j->image[i];

		if (i % NR_SLOTS == slot && img->gen && !img->is_gone)
			owner = i;
	}
	return owner;
}

static void *short_thread(void *arg)
{
	struct writer *w = arg;
	const struct timespec pause = { .tv_nsec = 30 * NSEC_PER_MSEC };
	uint32_t slot[NR_SLOTS];

	for (uint32_t i = 0; i < NR_SLOTS; i++)
		slot[i] = slot_owner(w, i);
	while (clock_mono_ns() < w->end_ns && w->j->next_short < IMAGES) {
		w->index = w->j->next_short++;
		w->img = &w->j->image[w->index];
		live_shortly(w, &slot[w->index % NR_SLOTS]);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* ------------------------------------------------------------------ the program */

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		pc_die(path, strerror(errno));
	return fd;
}

static void write_for(struct pc_journal *j, int mark, double seconds, const char *root, int db_dir)
{
	uint64_t end_ns = clock_mono_ns() + (uint64_t)(seconds * NSEC_PER_SEC);
	struct homes *homes = j->has_moves ? homes_start(j, root, mark, end_ns, may_die) : NULL;
	int dir = open_dir(root);
	struct writer writers[NR_RAW + 2];
	pthread_t threads[NR_RAW + 2];

	for (uint32_t i = 0; i < array_size(writers); i++) {
		struct writer *w = &writers[i];

		*w = (struct writer){ .j = j, .img = &j->image[i], .index = i, .mark = mark };
		w->homes = homes;
		w->dir = i == FIRST_DB ? db_dir : dir;
		w->end_ns = end_ns;
		rng_seed(&w->rng, j->seed + j->clock * 64 + i);
		w->buf = aligned_alloc(BLOCK, CHUNK_SECTORS * SECTOR);
		if (!w->buf)
			pc_die("memory", "none");
		if (pthread_create(&threads[i], NULL,
				   i < FIRST_QUIET ? raw_thread :
				   i < NR_RAW	   ? quiet_thread :
				   i == FIRST_DB   ? db_thread :
						     short_thread,
				   w) != 0)
			pc_die("thread", "none");
	}
	for (uint32_t i = 0; i < array_size(writers); i++) {
		pthread_join(threads[i], NULL);
		free(writers[i].buf);
	}
	homes_end(homes);
	printf("%" PRIu32 " operations, %" PRIu32 " moves\n", (uint32_t)j->clock / 2, j->nr_moves);
}

/* The file by the newest of its names that is there; gen: which. -1: none. */
static int open_newest(const struct pc_journal *j, uint32_t image, int dir, uint32_t *gen)
{
	for (*gen = j->image[image].gen;; --*gen) {
		char name[32];
		int fd;

		pc_name(image, *gen, name, sizeof(name));
		fd = openat(dir, name, O_RDWR | O_CLOEXEC);
		if (fd >= 0 || *gen == 0)
			return fd;
	}
}

static void sync_image(struct pc_journal *j, uint32_t image, int dir, int mark)
{
	struct pc_image *img = &j->image[image];
	struct writer w = { .j = j, .img = img, .index = image, .mark = mark };
	uint32_t answered = img->nr_ops, gen;
	int fd = open_newest(j, image, dir, &gen);

	if (fd < 0)
		return;
	while (answered && !img->ops[answered - 1].answered)
		answered--;
	must_do(&w, "sync", fsync(fd) == 0);
	close(fd);
	say(&w, "s %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", image, answered, gen);
}

static int sync_main(char **argv)
{
	struct pc_journal *j = pc_journal_map(argv[0], false);
	int mark = open(argv[1], O_WRONLY | O_CLOEXEC), dir = open_dir(argv[2]);

	if (mark < 0)
		pc_die(argv[1], strerror(errno));
	for (uint32_t i = 0; i < NR_RAW; i++)
		sync_image(j, i, dir, mark);
	return 0;
}

static int write_main(char **argv)
{
	struct pc_journal *j = pc_journal_map(argv[0], false);
	int mark = open(argv[1], O_WRONLY | O_CLOEXEC), dir = open_dir(argv[3]);

	if (mark < 0)
		pc_die(argv[1], strerror(errno));
	/* They may all be there already. */
	(void)mkdirat(dir, "a", 0755);
	(void)mkdirat(dir, "b", 0755);
	(void)mkdirat(dir, "t", 0755);
	write_for(j, mark, strtod(argv[2], NULL), argv[3],
		  strcmp(argv[4], "-") == 0 ? -1 : open_dir(argv[4]));
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "new") == 0 && (argc == 4 || argc == 5)) {
		struct pc_journal *j = pc_journal_map(argv[2], true);

		j->seed = strtoull(argv[3], NULL, 10);
		j->has_moves = argc == 5;
		return 0;
	}
	may_die = strcmp(verb, "die") == 0;
	if ((may_die || strcmp(verb, "write") == 0) && argc == 7)
		return write_main(argv + 2);
	if (strcmp(verb, "sync") == 0 && argc == 5)
		return sync_main(argv + 2);
	if (strcmp(verb, "check") == 0 && (argc == 5 || argc == 6))
		return pc_check(pc_journal_map(argv[2], false), argv[3], open_dir(argv[4]),
				argc == 6 ? open_dir(argv[5]) : -1);
	if (strcmp(verb, "settle") == 0 && argc == 5)
		return pc_settle(pc_journal_map(argv[2], false), argv[3], open_dir(argv[4]));
	pc_die("usage", "see the head of load.c");
}
