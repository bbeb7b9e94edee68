// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does to the files of a mount what users do, and knows afterwards what each must be, whatever
 * became of the daemon meanwhile.
 *
 *	filestorm init JOURNAL THREADS SEED
 *	filestorm run [-t SECONDS] [-e] [-l LOG] [-p] JOURNAL DIR
 *	filestorm check JOURNAL DIR
 *
 * init makes the journal, a mapped file on another filesystem, which outlives this process, and
 * run, where they are not there, a directory a thread in DIR: t0.a or t0.b, and so on. Each thread
 * creates, writes (by write, directly, by a mapping), reads, syncs, truncates, punches, extends,
 * links, unlinks, renames and exchanges its files, and renames its directory, until the time is
 * over, TERM comes, or the mount's daemon has died. check compares all of them, and their names.
 *
 * -e: the backing store may refuse what it is asked for (ENOSPC, EDQUOT, EROFS, EIO): what was
 * refused has happened or not. -l: a line in LOG for each operation. -p: no write through mappings.
 * Prints the number of operations so far. Exit status 1: something is wrong; 2: usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/parse.h"
#include "tests/filestorm.h"

#define JOURNAL_MAGIC UINT64_C(0x6c637366696c6573)
#define THREADS_MAX 16

struct journal {
	uint64_t magic, threads, seed, runs;
	struct model model[];
};

/* What an operation has come to. */
enum outcome {
	DONE,
	REFUSED, /* by the backing store, which is expected to */
	DIED,	 /* the daemon has */
	WRONG,	 /* said */
};

/* ---- ends ---- */

/*
 * Is it what a filesystem says whose daemon has died? The page cache says EIO then, which alone
 * proves nothing: the directory must say more, at the latest when the dying process has let go.
 */
static bool is_death(const struct worker *w, int err)
{
	const struct timespec pause = { .tv_nsec = 10 * NSEC_PER_MSEC };

	for (int tries = 0; err == EIO && tries < 200; tries++) {
		if (fsync(w->dir) < 0)
			err = errno;
		nanosleep(&pause, NULL);
	}
	return err == ENOTCONN || err == ECONNABORTED || err == ECANCELED;
}

static enum outcome failed(struct worker *w, int slot, const char *what)
{
	int err = errno;

	if (w->log)
		fprintf(w->log, "%d f%d %s: %s\n", w->index, slot, what, strerror(err));
	if (w->may_refuse && (err == ENOSPC || err == EDQUOT || err == EROFS))
		return REFUSED;
	if (is_death(w, err))
		return DIED;
	if (w->may_refuse && err == EIO)
		return REFUSED;
	fprintf(stderr, "filestorm: thread %d: f%d: %s: %s\n", w->index, slot, what, strerror(err));
	return WRONG;
}

static enum outcome acknowledged(struct worker *w)
{
	model_acknowledged(w->m);
	if (w->log)
		fprintf(w->log, "%d done\n", w->index);
	return DONE;
}

static void note(const struct worker *w, int slot, const char *what, uint32_t off, uint32_t len)
{
	if (w->log)
		fprintf(w->log, "%" PRIu64 " %d f%d %s %u to %u\n", clock_real_ns() / NSEC_PER_USEC,
			w->index, slot, what, off, off + len);
}

static void close_slot(struct worker *w, int slot)
{
	if (w->fd[slot] >= 0)
		close(w->fd[slot]);
	if (w->direct[slot] >= 0)
		close(w->direct[slot]);
	w->fd[slot] = w->direct[slot] = -1;
}

/* A descriptor, kept open; -1 with errno. */
static int open_slot(struct worker *w, int slot, bool is_direct)
{
	int *fd = is_direct ? &w->direct[slot] : &w->fd[slot], direct = is_direct ? O_DIRECT : 0;
	char name[16];

	name_of(slot, name);
	if (*fd < 0)
		*fd = openat(w->dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | direct);
	return *fd;
}

/* ---- operations ---- */

static enum outcome do_create(struct worker *w, int slot)
{
	struct slot *s = model_begin(w->m, slot);
	char name[16];

	name_of(slot, name);
	memset(s, 0, sizeof(*s));
	s->exists = true;
	model_under_way(w->m, 1, false);
	note(w, slot, "create", 0, 0);
	w->fd[slot] = openat(w->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (w->fd[slot] < 0)
		return failed(w, slot, "create");
	return acknowledged(w);
}

static void pick_range(struct worker *w, uint32_t align, uint32_t *off, uint32_t *len)
{
	*off = below(&w->random, SIZE_MAX_ - 1) & ~(align - 1);
	*len = below(&w->random, below(&w->random, 2) ? 64 << 10 : 900);
	*len = min_t(uint32_t, align_up(*len + 1u, align), SIZE_MAX_ - *off);
}

/* From w->buf. What is short has met what the next request will say. */
static int write_whole(struct worker *w, int fd, uint32_t off, uint32_t len, int flags)
{
	struct iovec iov = { w->buf, len };
	ssize_t n = pwritev2(fd, &iov, 1, off, flags);

	if (n >= 0 && n < (ssize_t)len)
		n = pwrite(fd, w->buf + (size_t)n, len - (size_t)n, off + n);
	return n < 0 ? -1 : 0;
}

static enum outcome do_write(struct worker *w, int slot)
{
	static const uint32_t aligns[] = { 1, 1, 512, 4096 };
	struct slot *s = model_begin(w->m, slot);
	bool is_direct = below(&w->random, 3) == 0;
	uint32_t off, len, align = aligns[below(&w->random, 4)];
	int fd = open_slot(w, slot, is_direct);

	if (fd < 0)
		return failed(w, slot, "open");
	pick_range(w, is_direct ? 512 : align, &off, &len);
	model_fill(s, &w->random, off, len);
	memcpy(w->buf, s->data + off, len);
	model_under_way(w->m, 1, true);
	note(w, slot, is_direct ? "direct write" : "write", off, len);
	if (write_whole(w, fd, off, len, below(&w->random, 8) ? 0 : RWF_DSYNC) < 0)
		return failed(w, slot, is_direct ? "direct write" : "write");
	return acknowledged(w);
}

static _Thread_local sigjmp_buf on_bus;

static void catch_bus(int signal)
{
	(void)signal;
	siglongjmp(on_bus, 1);
}

/* The pages of a mapping cannot be had once the daemon is dead: SIGBUS. */
static bool copy_to_mapping(uint8_t *map, const uint8_t *from, uint32_t len)
{
	if (sigsetjmp(on_bus, 1))
		return false;
	memcpy(map, from, len);
	return true;
}

static enum outcome do_map(struct worker *w, int slot)
{
	struct slot *s = model_begin(w->m, slot);
	int fd = open_slot(w, slot, false);
	enum outcome out = WRONG;
	uint32_t off, len;
	uint8_t *map;

	if (fd < 0)
		return failed(w, slot, "open");
	pick_range(w, 1, &off, &len);
	if (off >= s->size)
		return DONE;
	len = min(len, s->size - off);
	map = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED && errno == ENODEV)
		return DONE; /* this kernel maps no file that somebody writes directly */
	if (map == MAP_FAILED)
		return failed(w, slot, "mmap");
	model_fill(s, &w->random, off, len);
	model_under_way(w->m, 1, true);
	note(w, slot, "mapped write", off, len);
	errno = EIO;
	if (!copy_to_mapping(map + off, s->data + off, len))
		out = failed(w, slot, "access to a mapping");
	else if (msync(map, s->size, MS_SYNC) < 0)
		out = failed(w, slot, "msync");
	else
		out = acknowledged(w);
	munmap(map, s->size);
	return out;
}

static enum outcome do_read(struct worker *w, int slot)
{
	const struct slot *s = &w->m->now[slot];
	bool is_direct = below(&w->random, 3) == 0;
	uint32_t off = below(&w->random, SIZE_MAX_) & ~511u, len, want;
	int fd = open_slot(w, slot, is_direct);
	ssize_t n;

	if (fd < 0)
		return failed(w, slot, "open");
	len = min_t(uint32_t, align_up(1 + below(&w->random, 100000), 512u), SIZE_MAX_ - off);
	want = off >= s->size ? 0 : min(len, s->size - off);
	n = pread(fd, w->buf, len, off);
	if (n < 0)
		return failed(w, slot, is_direct ? "direct read" : "read");
	for (uint32_t i = 0; i < want && i < (uint32_t)n; i++) {
		if (w->buf[i] == s->data[off + i])
			continue;
		fprintf(stderr, "filestorm: thread %d: f%d: byte %u reads %02x instead of %02x%s\n",
			w->index, slot, off + i, w->buf[i], s->data[off + i],
			is_direct ? " (directly)" : "");
		return WRONG;
	}
	if (n == (ssize_t)want)
		return DONE;
	errno = EIO; /* short: the next request says whether somebody died */
	return failed(w, slot, "short read");
}

static enum outcome do_truncate(struct worker *w, int slot)
{
	struct slot *s = model_begin(w->m, slot);
	uint32_t size = below(&w->random, SIZE_MAX_);
	int fd = open_slot(w, slot, false);

	if (fd < 0)
		return failed(w, slot, "open");
	model_truncate(s, size);
	model_under_way(w->m, 1, false);
	note(w, slot, "truncate", size, 0);
	return ftruncate(fd, size) < 0 ? failed(w, slot, "truncate") : acknowledged(w);
}

static enum outcome do_punch(struct worker *w, int slot)
{
	struct slot *s = model_begin(w->m, slot);
	uint32_t off = below(&w->random, SIZE_MAX_ - 1),
		 len = 1 + below(&w->random, SIZE_MAX_ - off - 1);
	int mode = below(&w->random, 2) ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	int fd = open_slot(w, slot, false);

	if (fd < 0)
		return failed(w, slot, "open");
	model_zero(s, off, len);
	model_under_way(w->m, 1, true);
	note(w, slot, mode & FALLOC_FL_PUNCH_HOLE ? "punch" : "zero", off, len);
	if (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, off, len) < 0)
		return failed(w, slot, "punch");
	return acknowledged(w);
}

static enum outcome do_extend(struct worker *w, int slot)
{
	struct slot *s = model_begin(w->m, slot);
	uint32_t off = below(&w->random, SIZE_MAX_ - 1),
		 len = 1 + below(&w->random, SIZE_MAX_ - off - 1);
	int fd = open_slot(w, slot, false);

	if (fd < 0)
		return failed(w, slot, "open");
	s->size = max(s->size, off + len);
	model_under_way(w->m, 1, false);
	note(w, slot, "fallocate", off, len);
	return fallocate(fd, 0, off, len) < 0 ? failed(w, slot, "fallocate") : acknowledged(w);
}

static enum outcome do_unlink(struct worker *w, int slot)
{
	struct slot *s = model_begin(w->m, slot);
	int orphan = below(&w->random, 2) ? open_slot(w, slot, false) : -1;
	enum outcome out;
	char name[16];

	name_of(slot, name);
	s->exists = false;
	model_under_way(w->m, 1, false);
	note(w, slot, "unlink", 0, 0);
	if (unlinkat(w->dir, name, 0) < 0)
		return failed(w, slot, "unlink");
	out = acknowledged(w);
	/* It goes on without a name. */
	memset(w->buf, 'u', 5000);
	if (orphan >= 0 && write_whole(w, orphan, 3000, 5000, 0) < 0)
		out = failed(w, slot, "write of an unlinked file");
	close_slot(w, slot);
	return out;
}

static enum outcome do_rename(struct worker *w, int slot)
{
	int to = (slot + 1 + (int)below(&w->random, SLOTS - 1)) % SLOTS;
	struct model *m = w->m;
	bool exchange = m->now[to].exists && below(&w->random, 3) == 0;
	char a[16], b[16];

	name_of(slot, a);
	name_of(to, b);
	model_begin_both(m, slot, to);
	m->next[1] = m->now[slot];
	m->next[0] = m->now[to];
	if (!exchange)
		m->next[0].exists = false;
	model_under_way(m, 2, false);
	note(w, slot, exchange ? "exchange" : "rename", (uint32_t)to, 0);
	if (renameat2(w->dir, a, w->dir, b, exchange ? RENAME_EXCHANGE : 0) < 0)
		return failed(w, slot, "rename");
	close_slot(w, slot);
	close_slot(w, to);
	return acknowledged(w);
}

/* The directory itself, and a second name that comes and goes: no slot changes. */
static enum outcome do_names(struct worker *w, int slot)
{
	char a[32], b[32], name[16];

	name_of(slot, name);
	if (below(&w->random, 2)) {
		if (linkat(w->dir, name, w->dir, "link", 0) < 0 && errno != EEXIST)
			return failed(w, slot, "link");
		return unlinkat(w->dir, "link", 0) < 0 ? failed(w, slot, "unlink of a link") : DONE;
	}
	snprintf(a, sizeof(a), "t%d.a", w->index);
	snprintf(b, sizeof(b), "t%d.b", w->index);
	if (renameat(w->root, a, w->root, b) == 0 ||
	    (errno == ENOENT && renameat(w->root, b, w->root, a) == 0))
		return DONE;
	return failed(w, -1, "rename of a directory");
}

static enum outcome do_attributes(struct worker *w, int slot)
{
	static const struct timespec ts[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = 1000000000 } };
	int fd = open_slot(w, slot, false);

	if (fd < 0 || futimens(fd, ts) < 0 || fchmod(fd, 0600 + below(&w->random, 2) * 044) < 0)
		return failed(w, slot, "attributes");
	return DONE;
}

static enum outcome do_sync(struct worker *w, int slot)
{
	int fd = open_slot(w, slot, false);

	fd = below(&w->random, 8) ? fd : w->dir;
	if (fd < 0 || fsync(fd) < 0)
		return failed(w, slot, "sync");
	return DONE;
}

static enum outcome step(struct worker *w, int slot)
{
	uint32_t dice = below(&w->random, 100);

	if (!w->m->now[slot].exists)
		return do_create(w, slot);
	if (dice < 35)
		return do_write(w, slot);
	if (dice < 43)
		return w->may_map ? do_map(w, slot) : do_write(w, slot);
	if (dice < 60)
		return do_read(w, slot);
	if (dice < 67)
		return do_sync(w, slot);
	if (dice < 73)
		return do_truncate(w, slot);
	if (dice < 79)
		return do_punch(w, slot);
	if (dice < 82)
		return do_extend(w, slot);
	if (dice < 87)
		return do_unlink(w, slot);
	if (dice < 93)
		return do_rename(w, slot);
	if (dice < 96)
		return do_names(w, slot);
	if (dice < 98)
		return do_attributes(w, slot);
	close_slot(w, slot);
	return DONE;
}

static void *check_files(void *arg)
{
	struct worker *w = arg;

	w->has_failed = storm_has_strange_name(w) || !storm_settle(w);
	return NULL;
}

static volatile sig_atomic_t is_ending;

static void catch_term(int signal)
{
	(void)signal;
	is_ending = 1;
}

static void *run_files(void *arg)
{
	struct worker *w = arg;
	enum outcome out = DONE;

	(void)unlinkat(w->dir, "link", 0);
	while (out == DONE && !is_ending && clock_mono_ns() < w->end_ns) {
		out = step(w, (int)below(&w->random, SLOTS));
		if (out != REFUSED)
			continue;
		/* Done or not: that can be seen, unless it cannot even be read now. */
		for (int i = 0; i < SLOTS; i++)
			close_slot(w, i);
		out = w->m->under_way && !storm_settle(w) ? DIED : DONE;
	}
	w->has_failed = out == WRONG;
	for (int i = 0; i < SLOTS; i++)
		close_slot(w, i);
	return NULL;
}

static struct journal *journal_map(const char *path, uint64_t threads)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (threads ? O_CREAT | O_TRUNC : 0), 0600);
	struct journal *j;
	struct stat st;

	if (fd < 0 ||
	    (threads &&
	     ftruncate(fd, (off_t)(sizeof(*j) + threads * sizeof(struct model))) < 0) ||
	    fstat(fd, &st) < 0) {
		perror(path);
		exit(2);
	}
	j = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (j == MAP_FAILED || (!threads && j->magic != JOURNAL_MAGIC)) {
		fprintf(stderr, "filestorm: %s: no journal\n", path);
		exit(2);
	}
	return j;
}

static int init(char **argv)
{
	uint64_t threads, seed;
	struct journal *j;

	if (parse_u64(argv[1], 1, THREADS_MAX, &threads) < 0 ||
	    parse_u64(argv[2], 0, UINT64_MAX, &seed) < 0)
		return 2;
	j = journal_map(argv[0], threads);
	j->threads = threads;
	j->seed = seed;
	j->magic = JOURNAL_MAGIC;
	return 0;
}

/* Under either of its names; only before the first run there is none. */
static bool open_dir(struct worker *w, bool may_make)
{
	for (int tries = 0; tries < 2; tries++) {
		char name[32];

		for (int i = 0; i < 2; i++) {
			snprintf(name, sizeof(name), "t%d.%c", w->index, "ba"[i]);
			w->dir = openat(w->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (w->dir >= 0)
				return true;
		}
		if (!may_make || mkdirat(w->root, name, 0755) < 0)
			break;
	}
	fprintf(stderr, "filestorm: no directory of thread %d: %s\n", w->index, strerror(errno));
	return false;
}

static int run_or_check(struct journal *j, const char *dir, struct worker *like,
			void *(*fn)(void *))
{
	struct worker w[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	unsigned long ops = 0;
	int status = 0;

	like->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < (int)j->threads; i++) {
		w[i] = *like;
		w[i].m = &j->model[i];
		w[i].index = i;
		w[i].random = j->seed + j->runs * 104729 + (uint64_t)i * 7919;
		memset(w[i].fd, -1, sizeof(w[i].fd));
		memset(w[i].direct, -1, sizeof(w[i].direct));
		w[i].buf = aligned_alloc(4096, SIZE_MAX_);
		if (like->root < 0 || !w[i].buf || !open_dir(&w[i], w[i].m->ops == 0))
			return fn != run_files || !is_death(&w[i], errno); /* before all */
	}
	for (int i = 0; i < (int)j->threads; i++)
		if (pthread_create(&thread[i], NULL, fn, &w[i]))
			return 2;
	for (int i = 0; i < (int)j->threads; i++) {
		pthread_join(thread[i], NULL);
		status |= w[i].has_failed;
		ops += w[i].m->ops;
		free(w[i].buf);
	}
	printf("%lu operations\n", ops);
	return status;
}

static int run(int argc, char **argv)
{
	struct worker like = { .end_ns = UINT64_MAX, .may_map = true };
	struct sigaction bus = { .sa_handler = catch_bus, .sa_flags = SA_NODEFER };
	struct sigaction term = { .sa_handler = catch_term, .sa_flags = SA_RESTART };
	uint64_t seconds;
	struct journal *j;
	int option;

	while ((option = getopt(argc, argv, "+el:pt:")) != -1) {
		if (option == 'e')
			like.may_refuse = true;
		else if (option == 'l')
			like.log = fopen(optarg, "we");
		else if (option == 'p')
			like.may_map = false;
		else if (option == 't' && parse_u64(optarg, 0, 1000000, &seconds) == 0)
			like.end_ns = clock_mono_ns() + seconds * NSEC_PER_SEC;
		else
			return 2;
	}
	if (argc - optind != 2)
		return 2;
	j = journal_map(argv[optind], 0);
	for (uint64_t i = 0; i < j->threads; i++) {
		if (j->model[i].under_way) {
			fprintf(stderr, "filestorm: check first what the last run left\n");
			return 2;
		}
	}
	j->runs++;
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGTERM, &term, NULL);
	return run_or_check(j, argv[optind + 1], &like, run_files);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int status = 2;

	if (strcmp(verb, "init") == 0 && argc == 5)
		status = init(argv + 2);
	else if (strcmp(verb, "run") == 0)
		status = run(argc - 1, argv + 1);
	else if (strcmp(verb, "check") == 0 && argc == 4)
		status = run_or_check(journal_map(argv[2], 0), argv[3], &(struct worker){ 0 },
				      check_files);
	if (status == 2)
		fprintf(stderr, "filestorm: wrong usage: see the head of filestorm.c\n");
	return status;
}
