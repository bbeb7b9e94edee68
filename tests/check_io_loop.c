// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event loop, on a ring and on threads. The calls that the threads make are wrapped by the
 * linker, so that they can come back short or fail; what is done about that is common to both.
 */
#include "lcfs/io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "tests/check_main.h"

#define BLOCK 4096u

/* ------------------------------------------------------------------ faults */

/* What the next calls do, in order; beyond the last the call is made as it is. */
static struct {
	int at, nr;
	int outcome[64];   /* bytes to cut the call to, or -errno */
	bool is_halving;   /* each call is cut to its half */
	_Atomic int calls; /* of any thread */
} faults;

static void faults_set(int nr, const int *outcome)
{
	memset(&faults, 0, sizeof(faults));
	faults.nr = nr;
	memcpy(faults.outcome, outcome, (size_t)nr * sizeof(*outcome));
}

#define FAULTS(...) faults_set(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), (int[]){ __VA_ARGS__ })

ssize_t __real_preadv(int fd, const struct iovec *iov, int nr, off_t off);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int nr, off_t off);
ssize_t __wrap_preadv(int fd, const struct iovec *iov, int nr, off_t off);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int nr, off_t off);

static size_t total(const struct iovec *iov, int nr)
{
	size_t sum = 0;

	for (int i = 0; i < nr; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* The vector cut to the next outcome; or -1 with errno. */
static int cut(const struct iovec *iov, int nr, struct iovec *to)
{
	size_t left;

	memcpy(to, iov, (size_t)nr * sizeof(*iov));
	faults.calls++;
	if (faults.at >= faults.nr && !faults.is_halving)
		return nr;
	if (!faults.is_halving && faults.outcome[faults.at] < 0) {
		errno = -faults.outcome[faults.at++];
		return -1;
	}
	left = faults.is_halving ? total(iov, nr) / 2 : (size_t)faults.outcome[faults.at++];
	for (int i = 0; i < nr; i++) {
		to[i].iov_len = min(to[i].iov_len, left);
		left -= to[i].iov_len;
	}
	return nr;
}

ssize_t __wrap_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	struct iovec to[16];

	return cut(iov, nr, to) < 0 ? -1 : __real_preadv(fd, to, nr, off);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int nr, off_t off)
{
	struct iovec to[16];

	return cut(iov, nr, to) < 0 ? -1 : __real_pwritev(fd, to, nr, off);
}

/* ------------------------------------------------------------------ a file and a loop */

static struct loop *loop;
static int fd;
static _Alignas(BLOCK) char data[16 * BLOCK];
static _Alignas(BLOCK) char back[16 * BLOCK];

static void setup_file(void)
{
	char name[] = "check_io_loop.XXXXXX";

	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(name), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 251 + 1);
	memset(back, 0x55, sizeof(back));
	memset(&faults, 0, sizeof(faults));
}

static void open_loop(bool no_uring)
{
	struct loop_conf conf = { .depth = 4, .no_uring = no_uring };
	int err;

	setup_file();
	ck_assert_int_eq(loop_open(&loop, &conf), 0);
	if (!no_uring && strcmp(loop_engine(loop, &err), "io_uring") != 0)
		printf("no io_uring here (%s): tested on threads only\n", strerror(-err));
	if (no_uring)
		ck_assert_str_eq(loop_engine(loop, &err), "threads");
}

static void setup_uring(void)
{
	open_loop(false);
}

static void setup_threads(void)
{
	open_loop(true);
}

static void teardown_file(void)
{
	close(fd);
}

static void teardown(void)
{
	loop_close(loop);
	close(fd);
}

struct op {
	struct loop_op op;
	struct iovec iov[4];
	int result, nr_done;
};

static void op_done(struct loop_op *op, int result)
{
	struct op *o = container_of(op, struct op, op);

	o->result = result;
	o->nr_done++;
}

/* An operation on the whole of mem, cut into nr elements of whole blocks. */
static void op_init(struct op *o, bool is_write, void *mem, size_t bytes, uint64_t off, int nr)
{
	size_t each = align_down(bytes / (size_t)nr, BLOCK);

	*o = (struct op){ .op = { .fd = fd,
				  .is_write = is_write,
				  .iov = o->iov,
				  .nr_iov = nr,
				  .off = off,
				  .done = op_done } };
	for (int i = 0; i < nr; i++) {
		o->iov[i].iov_base = (char *)mem + each * (size_t)i;
		o->iov[i].iov_len = i == nr - 1 ? bytes - each * (size_t)i : each;
	}
}

static int op_run(struct op *o)
{
	loop_start(loop, &o->op);
	while (!o->nr_done)
		loop_run(loop, UINT64_MAX);
	ck_assert_int_eq(o->nr_done, 1);
	ck_assert_uint_eq(loop_in_flight(loop), 0);
	return o->result;
}

static void assert_file(size_t bytes)
{
	ck_assert_int_eq(pread(fd, back, bytes, 0), (ssize_t)bytes);
	ck_assert_mem_eq(back, data, bytes);
}

/* ------------------------------------------------------------------ transfers */

START_TEST(a_vector_is_written_and_read_whole)
{
	struct op o;

	op_init(&o, true, data, sizeof(data), 0, 3);
	ck_assert_int_eq(op_run(&o), sizeof(data));
	assert_file(sizeof(data));
	memset(back, 0, sizeof(back));
	op_init(&o, false, back, 5 * BLOCK, 2 * BLOCK, 4);
	ck_assert_int_eq(op_run(&o), 5 * BLOCK);
	ck_assert_mem_eq(back, data + 2 * BLOCK, 5 * BLOCK);
}
END_TEST

START_TEST(a_read_beyond_the_end_gives_zeros_where_asked_for)
{
	static const char zeros[8 * BLOCK];
	struct op o;

	ck_assert_int_eq(pwrite(fd, data, 5 * BLOCK + 100, 0), 5 * BLOCK + 100);
	op_init(&o, false, back, 8 * BLOCK, 0, 3);
	o.op.zero_beyond_end = true;
	ck_assert_int_eq(op_run(&o), 8 * BLOCK);
	ck_assert_mem_eq(back, data, 5 * BLOCK + 100);
	ck_assert_mem_eq(back + 5 * BLOCK + 100, zeros, 3 * BLOCK - 100);
	memset(back, 0x55, sizeof(back));
	op_init(&o, false, back, 2 * BLOCK, 100 * BLOCK, 1);
	o.op.zero_beyond_end = true;
	ck_assert_int_eq(op_run(&o), 2 * BLOCK);
	ck_assert_mem_eq(back, zeros, 2 * BLOCK);
	ck_assert_int_eq(back[2 * BLOCK], 0x55);
}
END_TEST

START_TEST(a_read_beyond_the_end_fails_where_not_asked_for)
{
	struct op o;

	ck_assert_int_eq(pwrite(fd, data, 3 * BLOCK, 0), 3 * BLOCK);
	op_init(&o, false, back, 4 * BLOCK, 0, 1);
	ck_assert_int_eq(op_run(&o), -EIO);
}
END_TEST

START_TEST(an_error_of_the_kernel_is_the_result)
{
	struct op o;

	op_init(&o, true, data, BLOCK, 0, 1);
	o.op.fd = open("/dev/full", O_RDWR);
	ck_assert_int_ge(o.op.fd, 0);
	ck_assert_int_eq(op_run(&o), -ENOSPC);
	close(o.op.fd);
	o.nr_done = 0;
	ck_assert_int_eq(op_run(&o), -EBADF);
}
END_TEST

static struct op many[200];
static unsigned int order_of_start;

START_TEST(more_operations_than_the_queue_holds_all_end)
{
	unsigned int done = 0;

	for (size_t i = 0; i < array_size(many); i++) {
		op_init(&many[i], true, data + (i % 16) * BLOCK, BLOCK, i * BLOCK, 1);
		loop_start(loop, &many[i].op);
	}
	ck_assert_uint_eq(loop_in_flight(loop), array_size(many));
	while (loop_in_flight(loop))
		done += loop_run(loop, UINT64_MAX);
	ck_assert_uint_eq(done, array_size(many));
	for (size_t i = 0; i < array_size(many); i++) {
		ck_assert_int_eq(many[i].nr_done, 1);
		ck_assert_int_eq(many[i].result, BLOCK);
		ck_assert_int_eq(pread(fd, back, BLOCK, (off_t)(i * BLOCK)), BLOCK);
		ck_assert_mem_eq(back, data + (i % 16) * BLOCK, BLOCK);
	}
}
END_TEST

static void start_next(struct loop_op *op, int result)
{
	op_done(op, result);
	if (++order_of_start < array_size(many))
		loop_start(loop, &many[order_of_start].op);
}

START_TEST(an_end_may_start_the_next_operation)
{
	for (size_t i = 0; i < array_size(many); i++) {
		op_init(&many[i], true, data, BLOCK, i * BLOCK, 1);
		many[i].op.done = start_next;
	}
	order_of_start = 0;
	loop_start(loop, &many[0].op);
	while (loop_in_flight(loop))
		loop_run(loop, UINT64_MAX);
	ck_assert_uint_eq(order_of_start, array_size(many));
}
END_TEST

START_TEST(registered_memory_is_written_and_read)
{
	struct iovec fixed = { data, sizeof(data) };
	struct loop_conf conf = { .depth = 4, .fixed = &fixed, .nr_fixed = 1 };
	struct op o;

	loop_close(loop);
	ck_assert_int_eq(loop_open(&loop, &conf), 0);
	op_init(&o, true, data + BLOCK, sizeof(data) - BLOCK, 0, 1);
	ck_assert_int_eq(op_run(&o), sizeof(data) - BLOCK);
	ck_assert_int_eq(pread(fd, back, sizeof(data) - BLOCK, 0), sizeof(data) - BLOCK);
	ck_assert_mem_eq(back, data + BLOCK, sizeof(data) - BLOCK);
	/* Beyond the registered memory, by one block: an ordinary write. */
	op_init(&o, true, back, BLOCK, 0, 1);
	ck_assert_int_eq(op_run(&o), BLOCK);
}
END_TEST

/* ------------------------------------------------------------------ short and failing calls */

START_TEST(a_short_write_is_continued)
{
	struct op o;

	FAULTS(4096, 3 * 4096, 4096, 100, 8192);
	op_init(&o, true, data, sizeof(data), 0, 4);
	ck_assert_int_eq(loop_op_now(&o.op), sizeof(data));
	assert_file(sizeof(data));
	ck_assert_int_eq(faults.at, faults.nr);
}
END_TEST

START_TEST(a_short_read_is_continued)
{
	struct op o;

	ck_assert_int_eq(pwrite(fd, data, sizeof(data), 0), sizeof(data));
	FAULTS(2 * 4096, 512, 4096, 5 * 4096 + 512, 9 * 4096);
	op_init(&o, false, back, sizeof(back), 0, 4);
	ck_assert_int_eq(loop_op_now(&o.op), sizeof(back));
	ck_assert_mem_eq(back, data, sizeof(back));
	ck_assert_int_eq(faults.at, faults.nr);
}
END_TEST

/* Never whole, never nothing, not always the same: it would go on for ever. */
START_TEST(a_write_that_gets_nowhere_is_given_up)
{
	struct op o;

	faults.is_halving = true;
	op_init(&o, true, data, sizeof(data), 0, 1);
	ck_assert_int_eq(loop_op_now(&o.op), -EIO);
	ck_assert_uint_le(faults.calls, 10000);
}
END_TEST

START_TEST(interrupted_and_refused_calls_are_tried_again)
{
	struct op o;

	FAULTS(-EINTR, -EAGAIN, 4096, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EINTR);
	op_init(&o, true, data, sizeof(data), 0, 2);
	ck_assert_int_eq(loop_op_now(&o.op), sizeof(data));
	assert_file(sizeof(data));
	ck_assert_int_eq(faults.at, faults.nr);
}
END_TEST

START_TEST(an_error_after_a_part_is_an_error)
{
	struct op o;

	FAULTS(4096, -ENOSPC);
	op_init(&o, true, data, sizeof(data), 0, 2);
	ck_assert_int_eq(loop_op_now(&o.op), -ENOSPC);
}
END_TEST

START_TEST(a_write_that_gets_nowhere_fails)
{
	struct op o;

	FAULTS(8192, 0);
	op_init(&o, true, data, sizeof(data), 0, 2);
	ck_assert_int_eq(loop_op_now(&o.op), -EIO);
}
END_TEST

START_TEST(blocking_transfers_move_all_bytes_or_fail)
{
	FAULTS(4096, -EINTR, 8192);
	ck_assert_int_eq(loop_write_now(fd, data, sizeof(data), BLOCK), 0);
	FAULTS(4096, -EAGAIN, 8192);
	ck_assert_int_eq(loop_read_now(fd, back, sizeof(back), BLOCK), 0);
	ck_assert_mem_eq(back, data, sizeof(data));
	ck_assert_int_eq(loop_read_now(fd, back, sizeof(back), 2 * BLOCK), -EIO);
	ck_assert_int_eq(loop_read_now(-1, back, BLOCK, 0), -EBADF);
}
END_TEST

/* ------------------------------------------------------------------ deadlines, posts */

START_TEST(the_wait_ends_at_the_deadline)
{
	uint64_t deadline = clock_mono_ns() + 30 * NSEC_PER_MSEC;

	while (clock_mono_ns() < deadline)
		ck_assert_uint_eq(loop_run(loop, deadline), 0);
	/* A deadline that has passed, and none at all: no wait. */
	ck_assert_uint_eq(loop_run(loop, 1), 0);
	ck_assert_uint_eq(loop_run(loop, 0), 0);
}
END_TEST

START_TEST(a_poke_ends_the_next_wait)
{
	loop_poke(loop);
	ck_assert_uint_eq(loop_run(loop, UINT64_MAX), 0);
	loop_poke(loop);
	loop_poke(loop);
	ck_assert_uint_eq(loop_run(loop, UINT64_MAX), 0);
	ck_assert_uint_eq(loop_run(loop, clock_mono_ns() + NSEC_PER_MSEC), 0);
}
END_TEST

#define POSTERS 4
#define POSTS 2000

struct note {
	struct list node;
	unsigned int poster, number;
};

static struct note notes[POSTERS][POSTS];

static void *post_all(void *arg)
{
	struct note *n = arg;

	for (unsigned int i = 0; i < POSTS; i++) {
		struct list l;

		list_init(&l);
		list_add_tail(&l, &n[i].node);
		loop_post(loop, &l);
	}
	return NULL;
}

START_TEST(posts_of_each_thread_arrive_once_and_in_order)
{
	pthread_t thread[POSTERS];
	unsigned int next[POSTERS] = { 0 }, total = 0;
	struct list l;

	list_init(&l);
	for (unsigned int t = 0; t < POSTERS; t++) {
		for (unsigned int i = 0; i < POSTS; i++) {
			list_init(&notes[t][i].node);
			notes[t][i].poster = t;
			notes[t][i].number = i;
		}
		ck_assert_int_eq(pthread_create(&thread[t], NULL, post_all, notes[t]), 0);
	}
	while (total < POSTERS * POSTS) {
		struct note *n;

		loop_run(loop, UINT64_MAX);
		loop_take(loop, &l);
		while ((n = list_pop_head(&l, struct note, node))) {
			ck_assert_uint_eq(n->number, next[n->poster]++);
			total++;
		}
	}
	for (unsigned int t = 0; t < POSTERS; t++)
		pthread_join(thread[t], NULL);
	ck_assert(!loop_take(loop, &l));
}
END_TEST

static _Atomic unsigned int answered;

static void *ping(unused_ void *arg)
{
	for (unsigned int i = 0; i < POSTS; i++) {
		struct note n = { .number = i };
		struct list l;

		list_init(&l);
		list_init(&n.node);
		list_add_tail(&l, &n.node);
		loop_post(loop, &l);
		while (atomic_load(&answered) != i + 1)
			sched_yield();
	}
	return NULL;
}

/* Each post meets an owner that is asleep, about to sleep, or awake: none may be lost. */
START_TEST(no_wake_up_is_lost)
{
	pthread_t thread;

	atomic_store(&answered, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, ping, NULL), 0);
	while (atomic_load(&answered) < POSTS) {
		struct list l;

		list_init(&l);
		loop_run(loop, UINT64_MAX);
		if (loop_take(loop, &l))
			atomic_fetch_add(&answered, 1);
	}
	pthread_join(thread, NULL);
}
END_TEST

static void add_loop_tests(TCase *tc)
{
	tcase_add_test(tc, a_vector_is_written_and_read_whole);
	tcase_add_test(tc, a_read_beyond_the_end_gives_zeros_where_asked_for);
	tcase_add_test(tc, a_read_beyond_the_end_fails_where_not_asked_for);
	tcase_add_test(tc, an_error_of_the_kernel_is_the_result);
	tcase_add_test(tc, more_operations_than_the_queue_holds_all_end);
	tcase_add_test(tc, an_end_may_start_the_next_operation);
	tcase_add_test(tc, registered_memory_is_written_and_read);
	tcase_add_test(tc, the_wait_ends_at_the_deadline);
	tcase_add_test(tc, a_poke_ends_the_next_wait);
	tcase_add_test(tc, posts_of_each_thread_arrive_once_and_in_order);
	tcase_add_test(tc, no_wake_up_is_lost);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("io loop");
	TCase *uring = tcase_create("ring"), *threads = tcase_create("threads");
	TCase *now = tcase_create("calls");

	tcase_add_checked_fixture(uring, setup_uring, teardown);
	tcase_add_checked_fixture(threads, setup_threads, teardown);
	tcase_add_checked_fixture(now, setup_file, teardown_file);
	add_loop_tests(uring);
	add_loop_tests(threads);
	tcase_add_test(now, a_short_write_is_continued);
	tcase_add_test(now, a_short_read_is_continued);
	tcase_add_test(now, a_write_that_gets_nowhere_is_given_up);
	tcase_add_test(now, interrupted_and_refused_calls_are_tried_again);
	tcase_add_test(now, an_error_after_a_part_is_an_error);
	tcase_add_test(now, a_write_that_gets_nowhere_fails);
	tcase_add_test(now, blocking_transfers_move_all_bytes_or_fail);
	suite_add_tcase(suite, uring);
	suite_add_tcase(suite, threads);
	suite_add_tcase(suite, now);
	return suite;
}

CHECK_MAIN(make_suite)
