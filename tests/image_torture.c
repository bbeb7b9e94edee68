// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images under load, with the daemon killed at random moments.
 *
 *	image_torture [cycles [seed]]
 *
 * In each cycle a child process mounts the directory and lets some threads do what users do, each
 * on files of its own: write, read, sync, truncate, punch, create, unlink, rename, move to the
 * other cache or out of it, while migration comes and goes. What each file must hold is noted in
 * shared memory: `now` by the last acknowledged operation, `next` by the one under way. The child
 * is killed, or unmounts in order. Then another child mounts, perhaps with the caches in the other
 * order, finds no complaint, and compares every file; in some cycles it drains all and compares the
 * plain files as well.
 *
 * A child that hangs is ended by its own deadline, and says what waits for what; with
 * IMAGE_TORTURE_STAY in the environment it stays, for a debugger.
 *
 * After a kill each operation that was acknowledged must be there, whether it was synced or not;
 * the one under way may have happened or not, and a write byte by byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/parse.h"
#include "lcfs/image/pathname.h"
#include "tests/image_torture.h"

#define CYCLES_DEFAULT 10

struct worker {
	struct bed *b;
	struct model *m;
	int index;
	uint64_t random;
	int dir; /* descriptor of its directory */
	struct image *open[SLOTS];
};

struct model *models;
uint64_t seed;

/* ---- the model ---- */

static struct slot *begin(struct worker *w, int slot)
{
	return model_begin(w->m, slot);
}

static void under_way(struct worker *w, int slots, bool is_write)
{
	model_under_way(w->m, slots, is_write);
}

static void acknowledged(struct worker *w)
{
	model_acknowledged(w->m);
}

/* ---- operations ---- */

static void close_slot(struct worker *w, int slot)
{
	if (w->open[slot])
		bed_close(w->open[slot]);
	w->open[slot] = NULL;
}

static struct image *open_slot(struct worker *w, int slot)
{
	char name[16];
	int fd, r;

	if (w->open[slot])
		return w->open[slot];
	name_of(slot, name);
	fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail("thread %d: %s: open: %s", w->index, name, strerror(errno));
	r = image_get(w->b->dir, fd, &w->open[slot]);
	close(fd);
	if (r == 0)
		r = image_open(w->open[slot], true);
	if (r < 0)
		fail("thread %d: %s: image_open: %s", w->index, name, strerror(-r));
	return w->open[slot];
}

static void check(struct worker *w, int slot, const char *what, int result, int wanted)
{
	if (result != wanted)
		fail("thread %d: f%d: %s: %d instead of %d", w->index, slot, what, result, wanted);
}

static void do_create(struct worker *w, int slot)
{
	struct slot *s = begin(w, slot);
	char name[16];
	int fd;

	doing(w->m, slot, "create");
	name_of(slot, name);
	s->exists = true;
	s->size = 0;
	memset(s->data, 0, sizeof(s->data));
	under_way(w, 1, false);
	fd = openat(w->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		fail("thread %d: create: %s", w->index, strerror(errno));
	check(w, slot, "get", image_get(w->b->dir, fd, &w->open[slot]), 0);
	close(fd);
	image_created(w->open[slot]);
	check(w, slot, "open", image_open(w->open[slot], true), 0);
	acknowledged(w);
}

static void do_write(struct worker *w, int slot)
{
	struct image *img = open_slot(w, slot);
	struct slot *s = begin(w, slot);
	uint32_t off = below(&w->random, SIZE_MAX_ - 1),
		 len = below(&w->random, below(&w->random, 2) ? 64 << 10 : 900);
	bool sync = below(&w->random, 8) == 0;
	int r;

	doing(w->m, slot, "write");
	if (below(&w->random, 2)) {
		off &= ~4095u;
		len &= ~4095u;
	}
	len = min(len + 1, SIZE_MAX_ - off);
	model_fill(s, &w->random, off, len);
	under_way(w, 1, true);
	r = sync ? bed_write_sync(img, s->data + off, len, off) :
		   bed_write(img, s->data + off, len, off);
	check(w, slot, "write", r, (int)len);
	acknowledged(w);
}

static void do_read(struct worker *w, int slot)
{
	struct image *img = open_slot(w, slot);
	const struct slot *s = &w->m->now[slot];
	uint32_t off = below(&w->random, SIZE_MAX_), len = 1 + below(&w->random, 100000);
	uint32_t want = off >= s->size ? 0 : min(len, s->size - off);
	uint8_t *buf = malloc(len);

	doing(w->m, slot, "read");
	check(w, slot, "read", bed_read(img, buf, len, off), (int)want);
	for (uint32_t i = 0; i < want; i++)
		if (buf[i] != s->data[off + i])
			fail("thread %d: f%d: byte %u reads %02x instead of %02x", w->index, slot,
			     off + i, buf[i], s->data[off + i]);
	free(buf);
}

static void do_truncate(struct worker *w, int slot)
{
	struct image *img = open_slot(w, slot);
	struct slot *s = begin(w, slot);
	uint32_t size = below(&w->random, SIZE_MAX_);

	doing(w->m, slot, "truncate");
	model_truncate(s, size);
	under_way(w, 1, false);
	check(w, slot, "truncate", image_truncate(img, size), 0);
	acknowledged(w);
}

static void do_punch(struct worker *w, int slot)
{
	struct image *img = open_slot(w, slot);
	struct slot *s = begin(w, slot);
	uint32_t off = below(&w->random, SIZE_MAX_ - 1),
		 len = 1 + below(&w->random, SIZE_MAX_ - off - 1);
	int mode = below(&w->random, 2) ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

	doing(w->m, slot, "punch");
	model_zero(s, off, len);
	under_way(w, 1, true);
	check(w, slot, "punch", image_fallocate(img, mode | FALLOC_FL_KEEP_SIZE, off, len), 0);
	acknowledged(w);
}

static void do_extend(struct worker *w, int slot)
{
	struct image *img = open_slot(w, slot);
	struct slot *s = begin(w, slot);
	uint32_t off = below(&w->random, SIZE_MAX_ - 1),
		 len = 1 + below(&w->random, SIZE_MAX_ - off - 1);

	doing(w->m, slot, "fallocate");
	s->size = max(s->size, off + len);
	under_way(w, 1, false);
	check(w, slot, "fallocate", image_fallocate(img, 0, off, len), 0);
	acknowledged(w);
}

static void do_unlink(struct worker *w, int slot)
{
	struct slot *s = begin(w, slot);
	struct image *orphan = below(&w->random, 2) ? open_slot(w, slot) : NULL;
	char name[16];

	doing(w->m, slot, "unlink");
	name_of(slot, name);
	s->exists = false;
	under_way(w, 1, false);
	check(w, slot, "unlink", imagedir_unlink(w->b->dir, w->dir, name), 0);
	acknowledged(w);
	if (orphan) { /* goes on without a name */
		check(w, slot, "write unlinked", bed_fill(orphan, 'u', 5000, 3000), 5000);
		if (!bed_reads(orphan, 'u', 5000, 3000))
			fail("thread %d: f%d: an unlinked file reads wrong", w->index, slot);
	}
	close_slot(w, slot);
}

static void do_rename(struct worker *w, int slot)
{
	int to = (slot + 1 + (int)below(&w->random, SLOTS - 1)) % SLOTS;
	struct model *m = w->m;
	bool exchange = m->now[to].exists && below(&w->random, 3) == 0;
	struct image *swap = w->open[slot];
	char a[16], b[16];

	doing(w->m, slot, "rename");
	name_of(slot, a);
	name_of(to, b);
	model_begin_both(m, slot, to);
	m->next[1] = m->now[slot];
	m->next[0] = m->now[to];
	if (!exchange)
		m->next[0].exists = false;
	under_way(w, 2, false);
	check(w, slot, "rename",
	      imagedir_rename(w->b->dir, w->dir, a, w->dir, b, exchange ? RENAME_EXCHANGE : 0), 0);
	acknowledged(w);
	w->open[slot] = w->open[to];
	w->open[to] = swap;
	if (!exchange)
		close_slot(w, slot);
}

/* The directory itself: no slot changes. */
static void do_rename_dir(struct worker *w)
{
	char a[32], b[32];

	doing(w->m, -1, "rename of the directory");
	snprintf(a, sizeof(a), "d%d.a", w->index);
	snprintf(b, sizeof(b), "d%d.b", w->index);
	if (bed_exists(w->b, a))
		check(w, -1, "rename directory",
		      imagedir_rename(w->b->dir, w->b->fd, a, w->b->fd, b, 0), 0);
	else
		check(w, -1, "rename directory",
		      imagedir_rename(w->b->dir, w->b->fd, b, w->b->fd, a, 0), 0);
}

static void do_attributes(struct worker *w, int slot)
{
	static const struct timespec ts[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = 1000000000 } };
	struct image *img = open_slot(w, slot);
	char name[16];

	doing(w->m, slot, "utimens");
	name_of(slot, name);
	check(w, slot, "utimens", image_set_times(img, ts), 0);
	check(w, slot, "touching", image_touching(img), 0);
	if (fchmodat(w->dir, name, 0600 + below(&w->random, 2) * 044, 0) < 0)
		fail("chmod: %s", strerror(errno));
	image_touched(img);
}

static void do_sync(struct worker *w, int slot)
{
	doing(w->m, slot, "sync");
	check(w, slot, "sync", bed_sync(open_slot(w, slot)), 0);
}

static void do_sync_dir(struct worker *w)
{
	doing(w->m, -1, "sync of the directory");
	check(w, -1, "sync directory", imagedir_sync_dir(w->b->dir, w->dir), 0);
}

static void do_drain(struct worker *w, int slot)
{
	doing(w->m, slot, "drain");
	int r = image_drain(open_slot(w, slot));

	check(w, slot, "drain", r == -EINPROGRESS ? 0 : r, 0);
}

/* Which of the caches it is in, or none, changes nothing. */
static void do_move(struct worker *w, int slot)
{
	uint32_t to = below(&w->random, 3);

	doing(w->m, slot, "move");
	check(w, slot, "move", image_attach(open_slot(w, slot), to), 0);
}

static void step(struct worker *w)
{
	int slot = (int)below(&w->random, SLOTS);
	uint32_t dice = below(&w->random, 100);

	if (!w->m->now[slot].exists)
		do_create(w, slot);
	else if (dice < 40)
		do_write(w, slot);
	else if (dice < 60)
		do_read(w, slot);
	else if (dice < 66)
		do_sync(w, slot);
	else if (dice < 71)
		do_truncate(w, slot);
	else if (dice < 76)
		do_punch(w, slot);
	else if (dice < 79)
		do_extend(w, slot);
	else if (dice < 84)
		close_slot(w, slot);
	else if (dice < 88)
		do_unlink(w, slot);
	else if (dice < 93)
		do_rename(w, slot);
	else if (dice < 94)
		do_rename_dir(w);
	else if (dice < 96)
		do_attributes(w, slot);
	else if (dice < 97)
		do_move(w, slot);
	else if (dice < 98)
		do_drain(w, slot);
	else if (dice < 99)
		do_move(w, slot);
	else
		do_sync_dir(w);
}

static atomic_bool is_ending;

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!is_ending)
		step(w);
	doing(w->m, -1, "close");
	for (int i = 0; i < SLOTS; i++)
		close_slot(w, i);
	doing(w->m, -1, "nothing");
	return NULL;
}

/* ---- the daemon ---- */

static void run_daemon(struct bed *b, uint64_t random)
{
	static struct worker w[THREADS];
	pthread_t thread[THREADS];
	uint64_t end;
	bool is_orderly = below(&random, 4) == 0;

	watch_start(b);
	main_does("mount");
	must_mount(b);
	main_does("random knobs");
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .b = b,
					.m = &models[i],
					.index = i,
					.random = random + (uint64_t)i * 7919 };
		w[i].dir = open_dir(b, i);
		if (pthread_create(&thread[i], NULL, work, &w[i]))
			fail("thread");
	}
	end = clock_mono_ns() + (100 + below(&random, 900)) * NSEC_PER_MSEC;
	while (clock_mono_ns() < end) {
		uint64_t on = below(&random, 2);

		bed_knob(b, KNOB_ALLOW_MIGRATE, on);
		bed_knob(b, KNOB_FORCE_MIGRATE, on);
		usleep(20000 + below(&random, 60000));
	}
	if (!is_orderly)
		kill(getpid(), SIGKILL);
	main_does("wait for the threads");
	is_ending = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	if (is_complaint(b))
		fail("while mounted: %s", b->said);
	main_does("unmount");
	bed_unmount(b);
	_exit(0);
}

static void in_child(struct bed *b, void (*fn)(struct bed *b, uint64_t random), uint64_t random)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		fn(b, random);
	if (pid < 0)
		fail("fork");
	status = watch_child(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail("child: status %x", (unsigned int)status);
}

int main(int argc, char **argv)
{
	uint64_t cycles = CYCLES_DEFAULT, random;
	unsigned long ops = 0;
	struct bed *b;

	if (argc > 1 && parse_u64(argv[1], 1, 1000000, &cycles) < 0)
		return 2;
	seed = clock_real_ns() / NSEC_PER_USEC;
	if (argc > 2 && parse_u64(argv[2], 0, UINT64_MAX, &seed) < 0)
		return 2;
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	random = seed;
	models = mmap(NULL, THREADS * sizeof(*models), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	b = bed_new();
	(void)bed_add_cache(b);
	b->policy = IMAGEDIR_ROUND_ROBIN;
	for (int i = 0; i < THREADS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "d%d.a", i);
		if (mkdirat(b->fd, name, 0755) < 0)
			fail("mkdir");
	}
	for (uint64_t i = 0; i < cycles; i++) {
		if (below(&random, 2))
			bed_turn_round(b);
		in_child(b, run_daemon, below(&random, 1u << 30));
		in_child(b, run_verifier, below(&random, 1u << 30));
	}
	for (int i = 0; i < THREADS; i++)
		ops += models[i].ops;
	printf("%llu cycles, %lu operations\n", (unsigned long long)cycles, ops);
	bed_free(b);
	return 0;
}
