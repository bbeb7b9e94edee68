// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads that are lent to the engine: on a core of paper, who does which step of a sync. Whether
 * the log thread sleeps already cannot be seen, so a sync is repeated until it does.
 */
#include "lcfs/image/engine.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "tests/check_main.h"
#include "tests/fake/papercore.h"

#define SMALL 8192u
#define LARGE (512u << 10)
#define MANY 100000

static struct cache core;
static struct engine *engine;
static int log_fd;
static _Alignas(4096) char data[LARGE], back[LARGE];

/* A sync as the core goes about it, and who did what. */
struct sync {
	struct action encode, write, flush, done;
	struct action *next; /* what the end of the flush brings up, or NULL */
	pthread_t encoder, writer, flusher, teller;
	bool holds;	      /* its owner does not return before is_let_go */
	unsigned int nr_ends; /* core.lock */
};

static bool is_let_go;	     /* core.lock */
static unsigned int nr_held; /* core.lock */

static void end(struct sync *s)
{
	LOCK_SCOPE(&core.lock);

	s->teller = pthread_self();
	s->nr_ends++;
	nr_held += s->holds;
	cond_broadcast(&core.changed);
	while (s->holds && !is_let_go)
		cond_wait(&core.changed, &core.lock);
}

static void request(unused_ void *ctx, struct action *a)
{
	end(container_of(a, struct sync, done));
}

static void let_go(void)
{
	LOCK_SCOPE(&core.lock);

	is_let_go = true;
	cond_broadcast(&core.changed);
}

static void flush_done(unused_ struct cache *c, struct action *a, int result, unused_ uint64_t now,
		       struct outbox *ob)
{
	struct sync *s = container_of(a, struct sync, flush);

	ck_assert_int_eq(result, 0);
	s->flusher = pthread_self();
	outbox_add(ob, &s->done);
	if (s->next)
		outbox_add(ob, s->next);
}

static void write_done(unused_ struct cache *c, struct action *a, int result, unused_ uint64_t now,
		       struct outbox *ob)
{
	struct sync *s = container_of(a, struct sync, write);

	ck_assert_int_eq(result, (int)s->write.iov1.iov_len);
	s->writer = pthread_self();
	outbox_add(ob, &s->flush);
}

static void encode_done(unused_ struct cache *c, struct action *a, int result, unused_ uint64_t now,
			struct outbox *ob)
{
	struct sync *s = container_of(a, struct sync, encode);

	ck_assert_int_eq(result, 0);
	s->encoder = pthread_self();
	outbox_add(ob, &s->write);
}

static void sync_init(struct sync *s, size_t bytes)
{
	memset(s, 0, sizeof(*s));
	s->encode = (struct action){ .type = ACTION_ENCODE, .complete = encode_done };
	s->write = (struct action){ .type = ACTION_LOG_WRITE, .complete = write_done };
	s->write.iov1 = (struct iovec){ data, bytes };
	s->write.iov = &s->write.iov1;
	s->write.nr_iov = 1;
	s->flush = (struct action){ .type = ACTION_FLUSH, .complete = flush_done };
	s->done = (struct action){ .type = ACTION_DONE };
	list_init(&s->encode.node);
	list_init(&s->write.node);
	list_init(&s->flush.node);
	list_init(&s->done.node);
}

static void start(struct sync *s, bool is_lent)
{
	struct outbox ob;

	outbox_init(&ob);
	outbox_add(&ob, &s->encode);
	if (is_lent)
		engine_carry_lent(engine, &ob);
	else
		engine_carry(engine, &ob);
}

static void wait_end(const struct sync *s)
{
	papercore_wait(&core, &s->nr_ends, 1);
}

static bool is_mine(pthread_t thread)
{
	return pthread_equal(thread, pthread_self());
}

/* Lends this thread until it is taken: then the log thread sleeps. */
static void sync_here(struct sync *s, size_t bytes)
{
	for (int i = 0; i < MANY; i++) {
		sync_init(s, bytes);
		start(s, true);
		wait_end(s);
		if (is_mine(s->encoder))
			return;
		sched_yield();
	}
	ck_abort_msg("the log thread never sleeps");
}

static void setup(void)
{
	static const struct engine_ops ops = { .request = request };
	struct engine_conf conf = { .cache = &core, .ops = &ops };
	char name[] = "check_engine_lent.XXXXXX";

	papercore_init(&core);
	is_let_go = false;
	nr_held = 0;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 509 + 1);
	conf.log_fd = log_fd = mkstemp(name);
	ck_assert_int_ge(log_fd, 0);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(engine_start(&engine, &conf), 0);
}

static void teardown(void)
{
	ck_assert_int_eq(engine_stop(engine), 0);
	close(log_fd);
}

START_TEST(a_lent_thread_does_all_of_its_sync)
{
	struct sync s;

	sync_here(&s, SMALL);
	ck_assert(is_mine(s.writer) && is_mine(s.flusher) && is_mine(s.teller));
	ck_assert_int_eq(pread(log_fd, back, SMALL, 0), SMALL);
	ck_assert_mem_eq(back, data, SMALL);
}
END_TEST

START_TEST(a_thread_that_is_not_lent_does_nothing_of_it)
{
	struct sync s;

	sync_here(&s, SMALL);
	sync_init(&s, SMALL);
	start(&s, false);
	wait_end(&s);
	ck_assert(!is_mine(s.encoder) && !is_mine(s.writer) && !is_mine(s.flusher));
}
END_TEST

START_TEST(nothing_is_done_beside_the_log_thread)
{
	struct sync held, s;

	sync_init(&held, SMALL);
	held.holds = true;
	start(&held, false);
	papercore_wait(&core, &nr_held, 1);
	sync_init(&s, SMALL);
	start(&s, true);
	ck_assert_uint_eq(core.nr_encoded, 1);
	let_go();
	wait_end(&s);
	ck_assert(pthread_equal(s.encoder, held.encoder));
	ck_assert(pthread_equal(s.writer, held.encoder));
}
END_TEST

START_TEST(what_the_end_of_its_sync_brings_up_is_not_a_lent_threads)
{
	struct sync s, next;

	sync_here(&s, SMALL);
	sync_init(&next, SMALL);
	sync_init(&s, SMALL);
	s.next = &next.encode;
	start(&s, true);
	wait_end(&next);
	ck_assert(!is_mine(next.encoder) && !is_mine(next.writer) && !is_mine(next.flusher));
}
END_TEST

START_TEST(a_large_write_is_the_log_threads)
{
	struct sync s;

	sync_here(&s, LARGE);
	ck_assert(is_mine(s.encoder));
	ck_assert(!is_mine(s.writer));
	ck_assert_int_eq(pread(log_fd, back, LARGE, 0), LARGE);
	ck_assert_mem_eq(back, data, LARGE);
}
END_TEST

static void *lend_and_stay(void *arg)
{
	struct sync *s = arg;

	start(s, true);
	return NULL;
}

/* False: the log thread did not sleep. */
static bool second_is_refused(void)
{
	struct sync second, first;
	pthread_t thread;
	bool is_lent;

	is_let_go = false;
	nr_held = 0;
	sync_init(&first, SMALL);
	first.holds = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, lend_and_stay, &first), 0);
	papercore_wait(&core, &nr_held, 1);
	is_lent = pthread_equal(first.teller, thread);
	if (is_lent) {
		sync_init(&second, SMALL);
		start(&second, true);
		wait_end(&second);
		ck_assert(!is_mine(second.encoder));
	}
	let_go();
	pthread_join(thread, NULL);
	wait_end(&first);
	return is_lent;
}

START_TEST(one_thread_at_a_time_is_lent)
{
	for (int i = 0; i < MANY; i++)
		if (second_is_refused())
			return;
	ck_abort_msg("the log thread never sleeps");
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		a_lent_thread_does_all_of_its_sync,
		a_thread_that_is_not_lent_does_nothing_of_it,
		nothing_is_done_beside_the_log_thread,
		what_the_end_of_its_sync_brings_up_is_not_a_lent_threads,
		a_large_write_is_the_log_threads,
		one_thread_at_a_time_is_lent,
	};
	Suite *suite = suite_create("engine_lent");
	TCase *tc = tcase_create("lent");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < array_size(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
