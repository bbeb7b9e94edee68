// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event loop: what does not depend on what it runs on.
 *
 * A transfer is one attempt with the caller's whole vector, nearly always. Where it comes back
 * short at a multiple of 4096 it goes on there, one element of the vector at a time (no memory is
 * needed for a shortened vector). Short at an odd place, which is the end of a file, the whole
 * vector is tried again, since direct I/O could not go on there. An attempt that moves nothing,
 * or that ends at the same odd place as the one before it, has met the end of the file. So has one
 * that does not get further than it was, however often it is tried.
 *
 * Waking: who posts writes the eventfd only when the owner sleeps and nobody has woken it yet,
 * both known under the inbox's lock. The owner says that it is about to sleep under the same
 * lock, after it has found the inbox empty; so a post either is seen by it or sees that it
 * sleeps.
 */
#include "lcfs/io/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/io/loop_impl.h"

#define RETRY_DELAY_NS (NSEC_PER_MSEC)
#define RETRIES_AT_ONCE 4
#define RETRIES_MAX 2000
#define RESTARTS_MAX 2048 /* more than a vector has elements */

/* ------------------------------------------------------------------ one operation */

static uint32_t iov_bytes(const struct iovec *iov, int nr)
{
	uint64_t sum = 0;

	for (int i = 0; i < nr; i++)
		sum += iov[i].iov_len;
	assert(sum <= INT32_MAX);
	return (uint32_t)sum;
}

static void op_begin(struct loop_op *op)
{
	op->len = iov_bytes(op->iov, op->nr_iov);
	op->have = 0;
	op->pos = 0;
	op->attempts = 0;
	op->best = 0;
	op->restarts = 0;
}

/* What is left, from `have` on, of the element that `have` lies in. */
static void set_rest(struct loop_op *op)
{
	uint64_t skip = op->have;
	const struct iovec *v = op->iov;

	while (skip >= v->iov_len)
		skip -= v++->iov_len;
	op->rest.iov_base = (char *)v->iov_base + skip;
	op->rest.iov_len = v->iov_len - skip;
}

static void zero_from(const struct loop_op *op, uint64_t from)
{
	for (int i = 0; i < op->nr_iov; i++) {
		const struct iovec *v = &op->iov[i];

		if (from < v->iov_len)
			memset((char *)v->iov_base + from, 0, v->iov_len - from);
		from -= min_t(uint64_t, from, v->iov_len);
	}
}

/* Takes the outcome of an attempt. True when the operation has ended, with op->result. */
static bool op_advance(struct loop_op *op, int result)
{
	uint32_t end;

	if (result == -EINTR || result == -EAGAIN) {
		op->result = result;
		return ++op->attempts > RETRIES_MAX;
	}
	op->attempts = 0;
	op->result = result;
	if (result < 0)
		return true;
	end = op->pos + (uint32_t)result;
	op->restarts = end > op->best ? 0 : op->restarts + 1;
	op->best = max(op->best, end);
	if (end < op->len && (result == 0 || end == op->have || op->restarts > RESTARTS_MAX)) {
		op->result = -EIO;
		if (op->is_write || !op->zero_beyond_end || op->restarts > RESTARTS_MAX)
			return true;
		zero_from(op, end);
		end = op->len;
	}
	op->have = end;
	op->result = (int)op->len;
	if (op->have == op->len)
		return true;
	op->pos = is_aligned(op->off + op->have, 4096) ? op->have : 0;
	if (op->pos)
		set_rest(op);
	return false;
}

int loop_attempt_now(const struct loop_op *op)
{
	int nr;
	const struct iovec *iov = loop_op_iov(op, &nr);
	off_t off = (off_t)(op->off + op->pos);
	ssize_t n;

	n = op->is_write ? pwritev(op->fd, iov, nr, off) : preadv(op->fd, iov, nr, off);
	return n < 0 ? -errno : (int)n;
}

void loop_nap(void)
{
	struct timespec ts = { .tv_nsec = RETRY_DELAY_NS };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

int loop_op_now(struct loop_op *op)
{
	op_begin(op);
	while (!op_advance(op, loop_attempt_now(op))) {
		if (op->attempts > RETRIES_AT_ONCE)
			loop_nap();
	}
	return op->result;
}

/* A transfer of any length, in pieces that a call takes. */
static int transfer_now(int fd, bool is_write, void *buf, uint64_t len, uint64_t off)
{
	const uint64_t piece = 1u << 30;

	for (uint64_t at = 0; at < len; at += piece) {
		struct iovec iov = { (char *)buf + at, min(piece, len - at) };
		struct loop_op op = {
			.fd = fd,
			.is_write = is_write,
			.iov = &iov,
			.nr_iov = 1,
			.off = off + at,
		};
		int err = loop_op_now(&op);

		if (err < 0)
			return err;
	}
	return 0;
}

int loop_read_now(int fd, void *buf, uint64_t len, uint64_t off)
{
	return transfer_now(fd, false, buf, len, off);
}

int loop_write_now(int fd, const void *buf, uint64_t len, uint64_t off)
{
	return transfer_now(fd, true, (void *)(uintptr_t)buf, len, off);
}

/* ------------------------------------------------------------------ operations of a loop */

/* The registered buffer that the vector lies in, or -1. */
static int16_t find_fixed(const struct loop *l, const struct loop_op *op)
{
	uintptr_t at = (uintptr_t)op->iov->iov_base;

	if (op->nr_iov != 1)
		return -1;
	for (unsigned int i = 0; i < l->nr_fixed; i++) {
		uintptr_t start = (uintptr_t)l->fixed[i].iov_base;

		if (at >= start && at - start <= l->fixed[i].iov_len &&
		    op->iov->iov_len <= l->fixed[i].iov_len - (at - start))
			return (int16_t)i;
	}
	return -1;
}

void loop_start(struct loop *l, struct loop_op *op)
{
	list_init(&op->node);
	op_begin(op);
	op->buf_index = find_fixed(l, op);
	l->in_flight++;
	l->engine->start(l, op);
}

void loop_attempt_done(struct loop *l, struct loop_op *op, int result)
{
	if (op_advance(op, result)) {
		l->in_flight--;
		l->nr_done++;
		op->done(op, op->result);
		return;
	}
	if (op->attempts <= RETRIES_AT_ONCE) {
		l->engine->start(l, op);
		return;
	}
	if (list_is_empty(&l->retries))
		l->retry_at = clock_mono_ns() + RETRY_DELAY_NS;
	list_add_tail(&l->retries, &op->node);
}

static void start_retries(struct loop *l)
{
	struct loop_op *op;

	if (list_is_empty(&l->retries) || clock_mono_ns() < l->retry_at)
		return;
	while ((op = list_pop_head(&l->retries, struct loop_op, node)))
		l->engine->start(l, op);
}

void loop_submit(struct loop *l)
{
	l->engine->submit(l);
}

unsigned int loop_in_flight(const struct loop *l)
{
	return l->in_flight;
}

/* True if the owner may sleep; then it counts as asleep until fall_awake(). */
static bool fall_asleep(struct loop *l)
{
	LOCK_SCOPE(&l->lock);

	l->is_asleep = list_is_empty(&l->inbox) && !l->is_poked;
	l->is_poked = false;
	return l->is_asleep;
}

static void fall_awake(struct loop *l)
{
	LOCK_SCOPE(&l->lock);

	l->is_asleep = false;
}

unsigned int loop_run(struct loop *l, uint64_t deadline_ns)
{
	bool is_waiting = deadline_ns && fall_asleep(l);

	l->nr_done = 0;
	if (is_waiting && !list_is_empty(&l->retries))
		deadline_ns = min(deadline_ns, l->retry_at);
	l->engine->wait(l, is_waiting ? deadline_ns : 0);
	if (is_waiting)
		fall_awake(l);
	start_retries(l);
	return l->nr_done;
}

/* ------------------------------------------------------------------ inbox */

void loop_wake(struct loop *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->wake_fd, &one, sizeof(one));

	(void)n; /* fails only when it counts 2^64 - 2 wake-ups already */
}

void loop_post(struct loop *l, struct list *nodes)
{
	bool has_to_wake;

	if (list_is_empty(nodes))
		return;
	mutex_lock(&l->lock);
	list_splice_tail(&l->inbox, nodes);
	has_to_wake = l->is_asleep;
	l->is_asleep = false;
	mutex_unlock(&l->lock);
	if (has_to_wake)
		loop_wake(l);
}

void loop_poke(struct loop *l)
{
	bool has_to_wake;

	mutex_lock(&l->lock);
	has_to_wake = l->is_asleep;
	l->is_poked = !has_to_wake;
	l->is_asleep = false;
	mutex_unlock(&l->lock);
	if (has_to_wake)
		loop_wake(l);
}

bool loop_take(struct loop *l, struct list *nodes)
{
	LOCK_SCOPE(&l->lock);

	if (list_is_empty(&l->inbox))
		return false;
	list_splice_tail(nodes, &l->inbox);
	return true;
}

bool loop_has_posts(struct loop *l)
{
	LOCK_SCOPE(&l->lock);

	return !list_is_empty(&l->inbox);
}

/* ------------------------------------------------------------------ life */

static int open_engine(struct loop *l, const struct loop_conf *conf)
{
	l->uring_error = -EOPNOTSUPP;
	if (!conf->no_uring)
		l->uring_error = loop_uring_open(l, conf);
	if (l->uring_error == 0)
		return 0;
	return loop_threads_open(l, conf);
}

int loop_open(struct loop **out, const struct loop_conf *conf)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	*out = NULL;
	if (!l)
		return -ENOMEM;
	list_init(&l->retries);
	list_init(&l->inbox);
	mutex_init(&l->lock, LOOP_INBOX_RANK, "loop inbox");
	l->wake_fd = eventfd(0, EFD_CLOEXEC);
	err = l->wake_fd < 0 ? -errno : open_engine(l, conf);
	if (err) {
		loop_close(l);
		return err;
	}
	*out = l;
	return 0;
}

void loop_close(struct loop *l)
{
	if (!l)
		return;
	assert(l->in_flight == 0);
	if (l->engine)
		l->engine->close(l);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	mutex_destroy(&l->lock);
	free(l);
}

const char *loop_engine(const struct loop *l, int *error)
{
	*error = l->uring_error;
	return l->engine->name;
}
