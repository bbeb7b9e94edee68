// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine on a core of paper: each test issues actions by hand and says what follows each; the
 * functions of the core that the engine calls are here. What the engine makes of the real core is
 * in check_engine_core.c.
 */
#include "lcfs/image/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "tests/check_main.h"
#include "tests/fake/papercore.h"

#define BLOCK 4096u

struct cache_image {
	int fd;
	bool is_hung;	       /* lock */
	unsigned int nr_in;    /* lock: backing calls that are out */
	unsigned int nr_ended; /* lock */
};

static struct cache core;
static struct cache_image image[3];
static struct engine *engine;
static int log_fd;
static _Alignas(BLOCK) char data[64 * BLOCK], back[64 * BLOCK];

/* ------------------------------------------------------------------ what the layer above gives */

static int backing_fd(unused_ void *ctx, struct cache_image *img, bool is_write, uint64_t off,
		      uint64_t len)
{
	ck_assert(len > 0 && off % 512 == 0);
	return is_write && img == &image[2] ? -EROFS : img->fd;
}

static int backing_call(unused_ void *ctx, struct action *a)
{
	struct cache_image *img = a->image;
	LOCK_SCOPE(&core.lock);

	img->nr_in++;
	cond_broadcast(&core.changed);
	ck_assert_uint_eq(img->nr_in, 1);
	while (img->is_hung)
		cond_wait(&core.changed, &core.lock);
	img->nr_in--;
	img->nr_ended++;
	a->stamp.size = a->arg;
	return -(int)a->arg;
}

struct request {
	struct action act;
	void (*fn)(struct request *r);
	unsigned int left;
};

static void request(unused_ void *ctx, struct action *a)
{
	struct request *r = container_of(a, struct request, act);

	if (r->fn)
		r->fn(r);
	LOCK_SCOPE(&core.lock);
	core.nr_requests++;
	cond_broadcast(&core.changed);
}

static _Atomic int nr_flown, nr_flying;
static void flight(unused_ void *ctx, bool begins)
{
	nr_flown += begins;
	nr_flying += begins ? 1 : -1;
}

static int busy_percent(unused_ void *ctx)
{
	return 42;
}

static const struct engine_ops ops = {
	.backing_fd = backing_fd,
	.backing_call = backing_call,
	.request = request,
	.flight = flight,
	.busy_percent = busy_percent,
};

/* ------------------------------------------------------------------ setting up */

static int temp_file(void)
{
	char name[] = "check_engine.XXXXXX";
	int fd = mkstemp(name);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(name), 0);
	return fd;
}

static void setup(void)
{
	struct engine_conf conf = { .cache = &core, .ops = &ops };

	papercore_init(&core);
	for (size_t i = 0; i < array_size(image); i++)
		image[i] = (struct cache_image){ .fd = temp_file() };
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 3 + i / 509 + 1);
	log_fd = temp_file();
	conf.log_fd = log_fd;
	ck_assert_int_eq(engine_start(&engine, &conf), 0);
}

static void close_files(void)
{
	for (size_t i = 0; i < array_size(image); i++)
		close(image[i].fd);
	close(log_fd);
}

static void teardown(void)
{
	if (engine)
		ck_assert_int_eq(engine_stop(engine), 0);
	close_files();
}

static void wait_for(const unsigned int *counter, unsigned int n)
{
	papercore_wait(&core, counter, n);
}

static int last_result; /* lock */

static void keep_result(unused_ struct cache *c, unused_ struct action *a, int result,
			unused_ uint64_t now, unused_ struct outbox *ob)
{
	last_result = result;
}

static void action_init(struct action *a, enum action_type type, struct cache_image *img)
{
	*a = (struct action){ .type = type, .image = img, .complete = keep_result };
	list_init(&a->node);
	a->iov = &a->iov1;
}

static void transfer_init(struct action *a, enum action_type type, struct cache_image *img,
			  void *mem, size_t bytes, uint64_t off)
{
	action_init(a, type, img);
	a->iov1 = (struct iovec){ mem, bytes };
	a->nr_iov = 1;
	a->off = off;
}

static void carry_one(struct action *a)
{
	struct outbox ob;

	outbox_init(&ob);
	outbox_add(&ob, a);
	engine_carry(engine, &ob);
	ck_assert(list_is_empty(&ob.actions));
}

/* Carries it out and returns its result. */
static int carry_out(struct action *a)
{
	unsigned int before = core.nr_completed;

	carry_one(a);
	wait_for(&core.nr_completed, before + 1);
	return last_result;
}

/* ------------------------------------------------------------------ each type of action */

START_TEST(the_device_is_written_and_read)
{
	struct action a;

	transfer_init(&a, ACTION_LOG_WRITE, NULL, data, sizeof(data), 4 * BLOCK);
	ck_assert_int_eq(carry_out(&a), sizeof(data));
	transfer_init(&a, ACTION_DEV_READ, NULL, back, sizeof(back), 4 * BLOCK);
	ck_assert_int_eq(carry_out(&a), sizeof(back));
	ck_assert_mem_eq(back, data, sizeof(data));
	transfer_init(&a, ACTION_DEV_WRITE, NULL, data + BLOCK, BLOCK, 0);
	ck_assert_int_eq(carry_out(&a), BLOCK);
	action_init(&a, ACTION_FLUSH, NULL);
	ck_assert_int_eq(carry_out(&a), 0);
	ck_assert_int_eq(pread(log_fd, back, BLOCK, 0), BLOCK);
	ck_assert_mem_eq(back, data + BLOCK, BLOCK);
	transfer_init(&a, ACTION_DEV_READ, NULL, back, BLOCK, 1000 * BLOCK);
	ck_assert_int_eq(carry_out(&a), -EIO);
}
END_TEST

START_TEST(a_backing_file_is_written_and_read_with_zeros_beyond_its_end)
{
	struct action a;

	transfer_init(&a, ACTION_BACK_WRITE, &image[1], data, 5 * BLOCK + 512, 0);
	ck_assert_int_eq(carry_out(&a), 5 * BLOCK + 512);
	memset(back, 0x55, sizeof(back));
	transfer_init(&a, ACTION_BACK_READ, &image[1], back, 8 * BLOCK, 0);
	ck_assert_int_eq(carry_out(&a), 8 * BLOCK);
	ck_assert_mem_eq(back, data, 5 * BLOCK + 512);
	for (size_t i = 5 * BLOCK + 512; i < 8 * BLOCK; i++)
		ck_assert_int_eq(back[i], 0);
	ck_assert_int_eq(back[8 * BLOCK], 0x55);
}
END_TEST

START_TEST(an_image_without_a_descriptor_gives_its_error)
{
	struct action a;

	transfer_init(&a, ACTION_BACK_WRITE, &image[2], data, BLOCK, 0);
	ck_assert_int_eq(carry_out(&a), -EROFS);
}
END_TEST

START_TEST(work_and_backing_calls_give_their_results)
{
	struct action a;

	action_init(&a, ACTION_WORK, NULL);
	a.arg = 17;
	ck_assert_int_eq(carry_out(&a), 17);
	for (int type = ACTION_BACK_CHECK; type <= ACTION_BACK_SYNC; type++) {
		action_init(&a, (enum action_type)type, &image[0]);
		a.arg = (uint64_t)type;
		ck_assert_int_eq(carry_out(&a), -type);
		ck_assert_uint_eq(a.stamp.size, (uint64_t)type);
	}
}
END_TEST

static void assert_flies(int type, bool is_migration, int times)
{
	int before = nr_flown;
	struct action a;

	transfer_init(&a, (enum action_type)type, &image[1], data, BLOCK, 0);
	a.is_migration = is_migration;
	(void)carry_out(&a);
	ck_assert_int_eq(nr_flying, 0);
	ck_assert_int_eq(nr_flown - before, times);
}

START_TEST(what_somebody_waits_for_is_load_of_the_store_and_migration_is_not)
{
	for (int type = ACTION_LOG_WRITE; type <= ACTION_BACK_SYNC; type++) {
		assert_flies(type, true, 0);
		assert_flies(type, false, type >= ACTION_BACK_READ && type != ACTION_WORK);
	}
}
END_TEST

/* ------------------------------------------------------------------ order, threads */

static struct {
	struct action encode, write, flush;
	struct request done;
	pthread_t done_thread;
	bool was_flushed;
} sync_;

static void flush_done(unused_ struct cache *c, unused_ struct action *a, int result,
		       unused_ uint64_t now, struct outbox *ob)
{
	ck_assert_int_eq(result, 0);
	sync_.was_flushed = true;
	outbox_add(ob, &sync_.done.act);
}

static void write_done(unused_ struct cache *c, unused_ struct action *a, int result,
		       unused_ uint64_t now, struct outbox *ob)
{
	ck_assert_int_eq(result, 2 * BLOCK);
	outbox_add(ob, &sync_.flush);
}

static void encode_done(unused_ struct cache *c, unused_ struct action *a, int result,
			unused_ uint64_t now, struct outbox *ob)
{
	ck_assert_int_eq(result, 0);
	outbox_add(ob, &sync_.write);
}

static void note_thread(unused_ struct request *r)
{
	sync_.done_thread = pthread_self();
}

START_TEST(a_sync_needs_no_thread_but_the_log_thread)
{
	action_init(&sync_.encode, ACTION_ENCODE, NULL);
	transfer_init(&sync_.write, ACTION_LOG_WRITE, NULL, data, 2 * BLOCK, 0);
	action_init(&sync_.flush, ACTION_FLUSH, NULL);
	action_init(&sync_.done.act, ACTION_DONE, NULL);
	sync_.encode.complete = encode_done;
	sync_.write.complete = write_done;
	sync_.flush.complete = flush_done;
	sync_.done.fn = note_thread;
	carry_one(&sync_.encode);
	wait_for(&core.nr_requests, 1);
	ck_assert(sync_.was_flushed);
	ck_assert(pthread_equal(sync_.done_thread, core.encode_thread));
	ck_assert(!pthread_equal(sync_.done_thread, pthread_self()));
	ck_assert_int_eq(pread(log_fd, back, 2 * BLOCK, 0), 2 * BLOCK);
	ck_assert_mem_eq(back, data, 2 * BLOCK);
}
END_TEST

static struct action many[2000];

START_TEST(records_are_encoded_in_the_order_of_issue)
{
	struct outbox ob;

	outbox_init(&ob);
	for (size_t i = 0; i < array_size(many); i++) {
		action_init(&many[i], ACTION_ENCODE, NULL);
		many[i].arg = i;
		outbox_add(&ob, &many[i]);
		if (i % 7 == 0)
			engine_carry(engine, &ob);
	}
	engine_carry(engine, &ob);
	wait_for(&core.nr_completed, array_size(many));
	for (size_t i = 0; i < array_size(many); i++)
		ck_assert_uint_eq(core.encoded[i], i);
}
END_TEST

START_TEST(more_transfers_than_slots_all_end)
{
	static const enum action_type types[] = { ACTION_LOG_WRITE, ACTION_DEV_WRITE,
						  ACTION_BACK_WRITE };
	struct outbox ob;

	outbox_init(&ob);
	for (size_t i = 0; i < array_size(many); i++) {
		transfer_init(&many[i], types[i % 3], &image[0], data + (i % 64) * BLOCK, BLOCK,
			      i * BLOCK);
		outbox_add(&ob, &many[i]);
	}
	engine_carry(engine, &ob);
	wait_for(&core.nr_completed, array_size(many));
	for (size_t i = 0; i < array_size(many); i++) {
		int fd = types[i % 3] == ACTION_BACK_WRITE ? image[0].fd : log_fd;

		ck_assert_int_eq(pread(fd, back, BLOCK, (off_t)(i * BLOCK)), BLOCK);
		ck_assert_mem_eq(back, data + (i % 64) * BLOCK, BLOCK);
	}
}
END_TEST

/* ------------------------------------------------------------------ a store that hangs */

static void set_hung(struct cache_image *img, bool is_hung)
{
	LOCK_SCOPE(&core.lock);

	img->is_hung = is_hung;
	cond_broadcast(&core.changed);
}

START_TEST(one_hung_image_does_not_hold_up_the_others)
{
	struct action hung[5], other[50], a;

	set_hung(&image[0], true);
	for (size_t i = 0; i < array_size(hung); i++) {
		action_init(&hung[i], ACTION_BACK_SYNC, &image[0]);
		carry_one(&hung[i]);
	}
	wait_for(&image[0].nr_in, 1);
	for (size_t i = 0; i < array_size(other); i++) {
		action_init(&other[i], ACTION_BACK_CHECK, &image[1]);
		carry_one(&other[i]);
	}
	wait_for(&image[1].nr_ended, array_size(other));
	wait_for(&core.nr_completed, array_size(other));
	transfer_init(&a, ACTION_DEV_WRITE, NULL, data, BLOCK, 0);
	ck_assert_int_eq(carry_out(&a), BLOCK);
	ck_assert_uint_eq(image[0].nr_ended, 0);
	set_hung(&image[0], false);
	wait_for(&core.nr_completed, array_size(other) + 1 + array_size(hung));
	ck_assert_uint_eq(image[0].nr_ended, array_size(hung));
}
END_TEST

/* ------------------------------------------------------------------ callbacks that carry */

static struct request chain[2];
static char *stack_low, *stack_high;

/* Brings up the next request, as a woken writer does that wakes another. */
static void next_in_chain(struct request *r)
{
	struct request *next = &chain[r == &chain[0]];
	char here;

	if (!stack_low || &here < stack_low)
		stack_low = &here;
	if (!stack_high || &here > stack_high)
		stack_high = &here;
	if (r->left == 0)
		return;
	action_init(&next->act, ACTION_RESUME, NULL);
	next->fn = next_in_chain;
	next->left = r->left - 1;
	carry_one(&next->act);
}

START_TEST(a_chain_of_requests_does_not_deepen_the_stack)
{
	stack_low = stack_high = NULL;
	action_init(&chain[0].act, ACTION_DONE, NULL);
	chain[0].fn = next_in_chain;
	chain[0].left = 100000;
	carry_one(&chain[0].act);
	wait_for(&core.nr_requests, 100001);
	ck_assert_int_lt(stack_high - stack_low, 4096);
}
END_TEST

/* ------------------------------------------------------------------ clocks */

START_TEST(a_nearer_deadline_wakes_the_io_thread)
{
	struct outbox ob;

	outbox_init(&ob);
	for (unsigned int i = 1; i <= 2000; i++) {
		/* It sleeps without end, is on its way to, or is awake: it must not be missed. */
		atomic_store(&core.deadline, engine_now(engine) + (i % 3) * 10000);
		engine_carry(engine, &ob);
		wait_for(&core.nr_ticks, i);
	}
}
END_TEST

START_TEST(the_governor_gets_samples)
{
	wait_for(&core.nr_samples, 2);
	ck_assert_int_eq(core.last_sample, 42);
}
END_TEST

/* ------------------------------------------------------------------ all at once */

struct stream {
	struct action act;
	struct request done;
	unsigned int left, number;
};

static struct stream streams[64];

/* Each stream is a chain of actions of all types, with a request at its end. */
static void stream_next(unused_ struct cache *c, struct action *a, int result, unused_ uint64_t now,
			struct outbox *ob)
{
	static const enum action_type types[] = {
		ACTION_ENCODE,	   ACTION_LOG_WRITE,  ACTION_FLUSH, ACTION_DEV_READ,
		ACTION_BACK_CHECK, ACTION_BACK_WRITE, ACTION_WORK,  ACTION_DEV_WRITE,
		ACTION_BACK_SYNC,  ACTION_BACK_READ,
	};
	struct stream *s = container_of(a, struct stream, act);
	unsigned int n = s->number;

	ck_assert_int_ge(result, 0);
	if (s->left == 0) {
		outbox_add(ob, &s->done.act);
		return;
	}
	s->left--;
	transfer_init(a, types[(s->left + n) % array_size(types)], &image[n % 2], data + n * BLOCK,
		      BLOCK, n * BLOCK);
	if (a->type == ACTION_DEV_READ || a->type == ACTION_BACK_READ)
		a->iov1.iov_base = back + n * BLOCK;
	a->complete = stream_next;
	outbox_add(ob, a);
}

static void *start_streams(void *arg)
{
	struct stream *s = arg;

	for (unsigned int i = 0; i < 16; i++) {
		struct outbox ob;

		outbox_init(&ob);
		mutex_lock(&core.lock);
		stream_next(&core, &s[i].act, 0, 0, &ob);
		mutex_unlock(&core.lock);
		engine_carry(engine, &ob);
	}
	return NULL;
}

static void streams_init(unsigned int length)
{
	ck_assert_int_eq(ftruncate(log_fd, 64 * BLOCK), 0);
	for (unsigned int i = 0; i < array_size(streams); i++) {
		streams[i] = (struct stream){ .left = length, .number = i };
		action_init(&streams[i].done.act, ACTION_DONE, NULL);
	}
}

START_TEST(many_threads_carry_at_once)
{
	pthread_t thread[4];

	streams_init(200);
	for (size_t i = 0; i < array_size(thread); i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, start_streams, &streams[16 * i]),
				 0);
	for (size_t i = 0; i < array_size(thread); i++)
		pthread_join(thread[i], NULL);
	wait_for(&core.nr_requests, array_size(streams));
	ck_assert_uint_eq(core.nr_completed, 200 * array_size(streams));
}
END_TEST

/* ------------------------------------------------------------------ the end */

START_TEST(stopping_returns_what_the_shutdown_said)
{
	core.shutdown_error = -ENOSPC;
	ck_assert_int_eq(engine_stop(engine), -ENOSPC);
	engine = NULL;
}
END_TEST

START_TEST(after_abandoning_nothing_reaches_the_core)
{
	unsigned int completed;

	streams_init(1000000);
	start_streams(streams);
	start_streams(streams + 16);
	wait_for(&core.nr_completed, 1000);
	engine_abandon(engine);
	engine = NULL;
	completed = core.nr_completed;
	for (int i = 0; i < 1000; i++)
		sched_yield();
	ck_assert_uint_eq(core.nr_completed, completed);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		the_device_is_written_and_read,
		a_backing_file_is_written_and_read_with_zeros_beyond_its_end,
		an_image_without_a_descriptor_gives_its_error,
		work_and_backing_calls_give_their_results,
		what_somebody_waits_for_is_load_of_the_store_and_migration_is_not,
		a_sync_needs_no_thread_but_the_log_thread,
		records_are_encoded_in_the_order_of_issue,
		more_transfers_than_slots_all_end,
		one_hung_image_does_not_hold_up_the_others,
		a_chain_of_requests_does_not_deepen_the_stack,
		a_nearer_deadline_wakes_the_io_thread,
		the_governor_gets_samples,
		many_threads_carry_at_once,
		stopping_returns_what_the_shutdown_said,
		after_abandoning_nothing_reaches_the_core,
	};
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("engine");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	for (size_t i = 0; i < array_size(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
