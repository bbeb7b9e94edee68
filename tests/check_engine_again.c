// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads of the cache device that fail, on an engine with a core of paper: they are tried again, one
 * at a time, since the kernel makes one request of neighbours that come together.
 *
 * The device is this file's: reads of it go past the loop. It answers as late as it can: first
 * tries at once, those that come again when nothing else would happen but by time. So whatever the
 * engine may have under way at the same time, is.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/align.h"
#include "lcfs/image/engine.h"
#include "lcfs/io/loop.h"
#include "tests/check_main.h"
#include "tests/fake/papercore.h"

#define BLOCK 4096u
#define BLOCKS 8u
#define FOR_EVER UINT32_MAX

static struct cache core;
static struct engine *engine;
static int log_fd;
static _Alignas(BLOCK) char back[BLOCKS * BLOCK];

/* ------------------------------------------------------------------ the device */

static uint32_t fails[BLOCKS]; /* const while it runs: so often */
static atomic_bool is_slow;    /* what comes again is not answered */
static _Thread_local bool is_io_thread; /* the log thread has a loop, too */
/* by the I/O thread alone, or when nothing is under way */
static struct list held;
static uint32_t nr_starts[BLOCKS], nr_again, most_again;
static sem_t has_come_again;

void __real_loop_start(struct loop *l, struct loop_op *op);
void __wrap_loop_start(struct loop *l, struct loop_op *op);
unsigned int __real_loop_run(struct loop *l, uint64_t deadline_ns);
unsigned int __wrap_loop_run(struct loop *l, uint64_t deadline_ns);

static uint32_t block_of(const struct loop_op *op)
{
	return (uint32_t)(op->off / BLOCK);
}

static bool comes_again(const struct loop_op *op)
{
	return nr_starts[block_of(op)] > 1;
}

void __wrap_loop_start(struct loop *l, struct loop_op *op)
{
	if (op->fd != log_fd) {
		__real_loop_start(l, op);
		return;
	}
	is_io_thread = true;
	nr_starts[block_of(op)]++;
	list_add_tail(&held, &op->node);
	nr_again += comes_again(op);
	most_again = max(most_again, nr_again);
	if (comes_again(op))
		sem_post(&has_come_again);
}

static void answer(struct loop_op *op)
{
	list_del(&op->node);
	nr_again -= comes_again(op);
	op->done(op, nr_starts[block_of(op)] <= fails[block_of(op)] ? -EIO : (int)BLOCK);
}

unsigned int __wrap_loop_run(struct loop *l, uint64_t deadline_ns)
{
	struct loop_op *op;

	if (!is_io_thread || list_is_empty(&held))
		return __real_loop_run(l, deadline_ns);
	list_for_each_entry(op, &held, node)
		if (!comes_again(op)) {
			answer(op);
			return 1;
		}
	if (deadline_ns != UINT64_MAX || atomic_load(&is_slow))
		return __real_loop_run(l, deadline_ns);
	answer(list_first_entry(&held, struct loop_op, node));
	return 1;
}

/* ------------------------------------------------------------------ setting up */

static int backing_fd(unused_ void *ctx, unused_ struct cache_image *img, unused_ bool is_write,
		      unused_ uint64_t off, unused_ uint64_t len)
{
	return -EROFS;
}

static int backing_call(unused_ void *ctx, unused_ struct action *a)
{
	return 0;
}

static void request(unused_ void *ctx, unused_ struct action *a)
{
}

static const struct engine_ops ops = {
	.backing_fd = backing_fd,
	.backing_call = backing_call,
	.request = request,
};

static void setup(void)
{
	struct engine_conf conf = { .cache = &core, .ops = &ops, .name = "paper" };
	char name[] = "check_engine_again.XXXXXX";

	papercore_init(&core);
	list_init(&held);
	nr_again = most_again = 0;
	sem_init(&has_come_again, 0, 0);
	atomic_store(&is_slow, false);
	for (uint32_t i = 0; i < BLOCKS; i++)
		nr_starts[i] = fails[i] = 0;
	log_fd = mkstemp(name);
	ck_assert_int_ge(log_fd, 0);
	ck_assert_int_eq(unlink(name), 0);
	conf.log_fd = log_fd;
	ck_assert_int_eq(engine_start(&engine, &conf), 0);
}

static void teardown(void)
{
	ck_assert_int_eq(engine_stop(engine), 0);
	close(log_fd);
}

static int results[BLOCKS]; /* core.lock */

static void keep_result(unused_ struct cache *c, struct action *a, int result, unused_ uint64_t now,
			unused_ struct outbox *ob)
{
	results[a->off / BLOCK] = result;
}

static struct action reads[BLOCKS];

static void add_read(struct outbox *ob, uint32_t block)
{
	struct action *a = &reads[block];

	*a = (struct action){ .type = ACTION_DEV_READ,
			      .complete = keep_result,
			      .off = (uint64_t)block * BLOCK,
			      .iov = &a->iov1,
			      .iov1 = { back + (size_t)block * BLOCK, BLOCK },
			      .nr_iov = 1 };
	list_init(&a->node);
	outbox_add(ob, a);
}

/* Reads of these blocks, which come together. */
static void start_reads(uint32_t first, uint32_t end)
{
	struct outbox ob;

	outbox_init(&ob);
	for (uint32_t i = first; i < end; i++)
		add_read(&ob, i);
	engine_carry(engine, &ob);
}

/* ------------------------------------------------------------------ */

/* They were one request for the kernel: each has the error of the one that is bad. */
START_TEST(reads_that_failed_are_tried_again_one_at_a_time)
{
	for (uint32_t i = 0; i < BLOCKS; i++)
		fails[i] = i == 3 ? FOR_EVER : 1;
	start_reads(0, BLOCKS);
	papercore_wait(&core, &core.nr_completed, BLOCKS);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		ck_assert_int_eq(results[i], i == 3 ? -EIO : (int)BLOCK);
		ck_assert_uint_eq(nr_starts[i], i == 3 ? 3 : 2);
	}
	ck_assert_uint_eq(most_again, 1);
}
END_TEST

START_TEST(a_read_that_fails_twice_is_good)
{
	fails[0] = fails[1] = 2;
	start_reads(0, 2);
	papercore_wait(&core, &core.nr_completed, 2);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(results[i], (int)BLOCK);
		ck_assert_uint_eq(nr_starts[i], 3);
	}
	ck_assert_uint_eq(most_again, 1);
}
END_TEST

START_TEST(a_first_read_does_not_wait_for_one_that_comes_again)
{
	struct action wake = { .type = ACTION_WORK, .complete = keep_result };
	struct outbox ob;

	fails[0] = 1;
	atomic_store(&is_slow, true);
	start_reads(0, 1);
	ck_assert_int_eq(sem_wait(&has_come_again), 0);
	start_reads(1, BLOCKS);
	papercore_wait(&core, &core.nr_completed, BLOCKS - 1);
	atomic_store(&is_slow, false);
	outbox_init(&ob);
	list_init(&wake.node);
	wake.off = BLOCK;
	outbox_add(&ob, &wake);
	engine_carry(engine, &ob);
	papercore_wait(&core, &core.nr_completed, BLOCKS + 1);
	ck_assert_int_eq(results[0], (int)BLOCK);
}
END_TEST

START_TEST(a_read_of_a_device_that_is_given_up_is_not_tried_again)
{
	fails[0] = 1;
	atomic_store(&core.is_lost, true);
	start_reads(0, 1);
	papercore_wait(&core, &core.nr_completed, 1);
	ck_assert_int_eq(results[0], -EIO);
	ck_assert_uint_eq(nr_starts[0], 1);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		reads_that_failed_are_tried_again_one_at_a_time,
		a_read_that_fails_twice_is_good,
		a_first_read_does_not_wait_for_one_that_comes_again,
		a_read_of_a_device_that_is_given_up_is_not_tried_again,
	};
	Suite *suite = suite_create("engine_again");
	TCase *tc = tcase_create("engine_again");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < array_size(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
