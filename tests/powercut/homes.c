// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves images from cache to cache, or out of them, while they are written to.
 *
 * An image has a stay, which changes only before and after a move of it: the cache it is in, and
 * how often it has begun to be without one, perhaps. An operation with the same stay before and
 * after it went to that cache. One that may have met the plain file is loose: a power cut may then
 * leave of it what it leaves of a plain file.
 *
 * When a move has returned, all that was answered before it began is in the file, synced: that is a
 * promise, as a sync is. In the trace "m" is the begin of a move, and "M" its end.
 */
#include "tests/powercut/homes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/fake/rng.h"

#define DEVICE_BUSY UINT32_MAX /* somebody looks for its number, or moves it */
#define NR_HOMES 3u	       /* none, cache 1, cache 2 */
#define NR_MOVED (IMAGES + 1)  /* the last one is the disk with the database */
#define DISK IMAGES
#define DISK_NAME "vm.img"

struct mover {
	struct homes *h;
	struct rng rng;
	pthread_t thread;
};

struct homes {
	struct pc_journal *j;
	char devices[4096];
	int mark;
	uint64_t end_ns;
	bool may_die;
	_Atomic bool is_dead;
	_Atomic uint32_t device[NR_MOVED]; /* its number there, 0: not known */
	struct mover mover[NR_MOVERS];
};

/* ------------------------------------------------------------------ the control tree */

static void must_do(struct homes *h, const char *what, bool is_good)
{
	if (is_good)
		return;
	if (h->may_die && (errno == ENOTCONN || errno == ECONNABORTED || errno == EIO)) {
		h->is_dead = true;
		pthread_exit(NULL);
	}
	pc_die(what, strerror(errno));
}

/* devices/NUMBER/FILE; -1 with errno. */
static int open_file(const struct homes *h, uint32_t number, const char *file, int flags)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/%" PRIu32 "/%s", h->devices, number, file);
	return open(path, flags | O_CLOEXEC);
}

/* Its only line; false: there is none. */
static bool read_line(const struct homes *h, uint32_t number, const char *file, char *text,
		      size_t size)
{
	int fd = open_file(h, number, file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static bool read_home(const struct homes *h, uint32_t number, uint32_t *home)
{
	char text[32];

	if (!read_line(h, number, "cache_id", text, sizeof(text)))
		return false;
	*home = (uint32_t)strtoul(text, NULL, 10);
	return true;
}

/* 0: none has that name. */
static uint32_t find_device(struct homes *h, const char *name)
{
	DIR *dir = opendir(h->devices);
	uint32_t found = 0;
	struct dirent *e;

	must_do(h, h->devices, dir != NULL);
	while (dir && !found && (e = readdir(dir)) != NULL) {
		uint32_t number = (uint32_t)strtoul(e->d_name, NULL, 10);
		char text[4200];

		if (number && read_line(h, number, "name", text, sizeof(text)) &&
		    strcmp(text, name) == 0)
			found = number;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* ------------------------------------------------------------------ stays */

static void set_stay(struct pc_image *img, uint32_t home, bool begins_loose)
{
	struct pc_stay stay = atomic_load(&img->stay);

	stay.nr++;
	stay.home = (uint16_t)home;
	if (begins_loose)
		stay.loose++;
	atomic_store(&img->stay, stay);
}

struct pc_stay homes_begin(const struct pc_journal *j, uint32_t image)
{
	return atomic_load(&j->image[image].stay);
}

void homes_note(const struct pc_journal *j, uint32_t image, struct pc_stay begun, struct pc_op *op)
{
	struct pc_stay ended = atomic_load(&j->image[image].stay);

	op->home = begun.nr == ended.nr ? ended.home : HOME_UNKNOWN;
	op->is_loose = begun.loose != ended.loose || begun.home == HOME_NONE;
}

void homes_opened(struct homes *h, uint32_t image)
{
	uint32_t number, was, home = HOME_NONE;
	struct pc_image *img;
	struct pc_stay stay;
	char name[32];

	if (!h)
		return;
	img = &h->j->image[image];
	was = atomic_load(&h->device[image]);
	if (was == DEVICE_BUSY ||
	    !atomic_compare_exchange_strong(&h->device[image], &was, DEVICE_BUSY))
		return;
	pc_name(image, img->gen, name, sizeof(name));
	number = find_device(h, name);
	must_do(h, "the cache of an image", number && read_home(h, number, &home));
	stay = atomic_load(&img->stay);
	if (home != stay.home || number != was)
		set_stay(img, home, home == HOME_NONE);
	atomic_store(&h->device[image], number);
}

/* ------------------------------------------------------------------ moves */

static void say(struct homes *h, const char *text)
{
	ssize_t n = (ssize_t)strlen(text);

	must_do(h, "mark", write(h->mark, text, (size_t)n) == n);
}

/* 0 or -errno. */
static int move_device(const struct homes *h, uint32_t number, uint32_t to)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%" PRIu32, to);
	int fd = open_file(h, number, "cache_id", O_WRONLY), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)n) != n)
		r = -errno;
	close(fd);
	return r;
}

/* It has gone meanwhile, or its last name has. */
static bool is_away(int r)
{
	return r == -ENOENT || r == -ENODEV || r == -ESTALE;
}

static void move_tracked(struct homes *h, uint32_t image, uint32_t number, uint32_t from,
			 uint32_t to)
{
	struct pc_image *img = &h->j->image[image];
	uint32_t answered, home = HOME_NONE;
	bool is_loose = from == HOME_NONE || to == HOME_NONE;
	char text[80];
	int r;

	set_stay(img, is_loose ? HOME_NONE : HOME_UNKNOWN, is_loose);
	answered = img->nr_answered;
	r = move_device(h, number, to);
	errno = -r;
	must_do(h, "a move", r == 0 || is_away(r));
	if (r == 0 && from != to) {
		snprintf(text, sizeof(text), "s %" PRIu32 " %" PRIu32 " 0\n", image, answered);
		say(h, text);
	}
	/* What has failed on its way may be anywhere. */
	if (r == 0)
		home = to;
	set_stay(img, home, home == HOME_NONE);
}

static void move_one(struct homes *h, uint32_t image, uint32_t number, uint32_t to)
{
	uint32_t from;
	char text[80];

	errno = 0;
	if (!read_home(h, number, &from)) {
		must_do(h, "the cache of an image", is_away(-errno));
		atomic_store(&h->device[image], 0);
		return;
	}
	snprintf(text, sizeof(text), "m %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", image, from, to);
	say(h, text);
	if (image == DISK) {
		int r = move_device(h, number, to);

		errno = -r;
		must_do(h, "a move of " DISK_NAME, r == 0);
	} else {
		move_tracked(h, image, number, from, to);
	}
	text[0] = 'M';
	say(h, text);
	atomic_fetch_add(&h->j->nr_moves, 1);
	atomic_store(&h->device[image], number);
}

static void *mover_thread(void *arg)
{
	struct mover *m = arg;
	struct homes *h = m->h;

	while (clock_mono_ns() < h->end_ns && !h->is_dead) {
		const struct timespec pause = { .tv_nsec = 10 * NSEC_PER_MSEC };
		/* One of two is of those that stay. */
		uint32_t newest = h->j->next_short - 1;
		uint32_t image = rng_below(&m->rng, 2) || newest < FIRST_SHORT ?
					 (uint32_t)rng_below(&m->rng, FIRST_SHORT) :
					 newest - (uint32_t)rng_below(&m->rng, 2);
		uint32_t number;

		nanosleep(&pause, NULL);
		if (image == FIRST_DB)
			image = DISK;
		number = atomic_load(&h->device[image]);
		if (number == 0 || number == DEVICE_BUSY ||
		    !atomic_compare_exchange_strong(&h->device[image], &number, DEVICE_BUSY))
			continue;
		move_one(h, image, number, (uint32_t)rng_below(&m->rng, 5) % NR_HOMES);
	}
	return NULL;
}

struct homes *homes_start(struct pc_journal *j, const char *root, int mark, uint64_t end_ns,
			  bool may_die)
{
	struct homes *h = calloc(1, sizeof(*h));

	if (!h)
		pc_die("memory", "none");
	h->j = j;
	h->mark = mark;
	h->end_ns = end_ns;
	h->may_die = may_die;
	snprintf(h->devices, sizeof(h->devices), "%s/.lcctl/devices", root);
	h->device[DISK] = find_device(h, DISK_NAME);
	for (uint32_t i = 0; i < NR_MOVERS; i++) {
		h->mover[i].h = h;
		rng_seed(&h->mover[i].rng, j->seed + j->clock * 64 + 32 + i);
		if (pthread_create(&h->mover[i].thread, NULL, mover_thread, &h->mover[i]) != 0)
			pc_die("thread", "none");
	}
	return h;
}

void homes_end(struct homes *h)
{
	for (uint32_t i = 0; h && i < NR_MOVERS; i++)
		pthread_join(h->mover[i].thread, NULL);
	free(h);
}
