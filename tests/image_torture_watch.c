// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The deadline of image_torture: a daemon that does not get on is not waited for but described.
 *
 * A thread of the child says what each thread does and for how long, then what the cache looks
 * like. The core may be what hangs: whoever waits for the child has a deadline of its own, a little
 * later.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "tests/image_torture.h"

#define CHILD_SECONDS 60u
#define GRACE_SECONDS 20u
#define POLL_US 10000

static struct bed *bed;
static const char *main_doing = "start";

void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "seed %llu: ", (unsigned long long)seed);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	if (bed && bed->said[0])
		fprintf(stderr, "lcfs said:\n%s", bed->said);
	_exit(1);
}

void doing(struct model *m, int slot, const char *what)
{
	m->doing_slot = slot;
	m->doing_since = clock_mono_ns();
	__atomic_store_n(&m->doing, what, __ATOMIC_RELEASE);
}

void main_does(const char *what)
{
	__atomic_store_n(&main_doing, what, __ATOMIC_RELEASE);
}

static uint64_t limit_seconds(void)
{
	const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
	uint64_t times = text ? strtoull(text, NULL, 10) : 1;

	return CHILD_SECONDS * (times ? times : 1);
}

static void describe_threads(void)
{
	uint64_t now = clock_mono_ns();

	fprintf(stderr, "main thread: %s\n", __atomic_load_n(&main_doing, __ATOMIC_ACQUIRE));
	for (int i = 0; i < THREADS; i++) {
		struct model *m = &models[i];
		const char *what = __atomic_load_n(&m->doing, __ATOMIC_ACQUIRE);

		fprintf(stderr, "thread %d: %s of f%d for %" PRIu64 " ms\n", i,
			what ? what : "nothing", m->doing_slot,
			(now - m->doing_since) / NSEC_PER_MSEC);
	}
}

static void describe_images(struct cache *c)
{
	struct cache_image *ci = NULL;

	while ((ci = cache_image_next(c, ci)) != NULL) {
		struct cache_image_info i;
		char path[OP_PATH_MAX + 1];

		cache_image_info(c, ci, &i);
		cache_image_path(c, ci, path);
		fprintf(stderr,
			"image %u %s: %s%s%s%s, size %" PRIu64 ", dirty %" PRIu64
			", cached %" PRIu64 ", LSNs bind %" PRIu64 " clean %" PRIu64
			" last %" PRIu64 "\n",
			i.id, path, image_state_text(i.state), i.is_bound ? ", bound" : "",
			i.is_touching ? ", touching" : "", i.has_intent ? ", intent" : "", i.size,
			i.dirty_blocks, i.cached_blocks, i.bind_lsn, i.clean_lsn, i.last_lsn);
	}
}

static void describe_cache(struct cache *c)
{
	struct cache_status st;

	cache_status(c, &st);
	fprintf(stderr,
		"cache: %" PRIu64 " of %" PRIu64 " segments free, tail at %" PRIu64
		", log at segment %" PRIu64 " block %" PRIu64 ", flushed to %" PRIu64
		", LSNs next %" PRIu64 " written %" PRIu64 " durable %" PRIu64 "\n",
		st.free_segments, st.nr_segments, st.last_migrated + 1, st.current_segment,
		st.cursor, st.last_flushed, st.next_lsn, st.written_lsn, st.durable_lsn);
	fprintf(stderr,
		"cache: %" PRIu64 " dirty of %" PRIu64
		" cached blocks, %u of %u buffers used, %s%s (%d), migrated %" PRIu64
		" blocks, %" PRIu64 " super blocks\n",
		st.dirty_blocks, st.cached_blocks, st.pool_used, st.pool_buffers,
		st.is_migrating ? "migrating" : "not migrating", st.is_failed ? ", failed" : "",
		st.error, st.migrate_blocks, st.superblock_writes);
	describe_images(c);
}

static void *watch(void *arg)
{
	struct timespec ts = { .tv_sec = (time_t)limit_seconds() };

	(void)arg;
	while (nanosleep(&ts, &ts) < 0)
		;
	fprintf(stderr, "seed %llu: no end after %" PRIu64 " s\n", (unsigned long long)seed,
		limit_seconds());
	describe_threads();
	for (unsigned int i = 0; i < bed->nr_caches; i++)
		if (bed->caches[i]->cache)
			describe_cache(bed->caches[i]->cache);
	fprintf(stderr, "messages: %s\n", bed->said);
	if (getenv("IMAGE_TORTURE_STAY")) /* for a debugger */
		return NULL;
	_exit(1);
}

void watch_start(struct bed *b)
{
	pthread_t thread;

	bed = b;
	if (pthread_create(&thread, NULL, watch, NULL))
		fail("thread");
	pthread_detach(thread);
}

int watch_child(pid_t pid)
{
	uint64_t deadline = clock_mono_ns() + (limit_seconds() + GRACE_SECONDS) * NSEC_PER_SEC;
	int status;
	pid_t r;

	while ((r = waitpid(pid, &status, WNOHANG)) == 0) {
		if (clock_mono_ns() > deadline && !getenv("IMAGE_TORTURE_STAY")) {
			describe_threads();
			kill(pid, SIGKILL);
			fail("child %d does not even say what it waits for: the core is locked",
			     (int)pid);
		}
		usleep(POLL_US);
	}
	if (r < 0)
		fail("waitpid");
	return status;
}
