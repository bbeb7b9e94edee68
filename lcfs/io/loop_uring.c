// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event loop on an io_uring.
 *
 * The wake-up is a read of the eventfd that is always armed, so that one wait serves completions,
 * posts and the clock. The kernel lets only the owner's thread submit (SINGLE_ISSUER) and runs
 * its completion work in the owner's waits only (DEFER_TASKRUN), where it can; older ones are
 * asked without these.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/io/loop_impl.h"

#define REAP_BATCH 32
#define NEEDED_FEATURES (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL)
#define FIXED_BYTES_MAX (1ull << 30)

struct uring {
	struct io_uring ring;
	bool has_ring, is_wake_armed;
	uint64_t wake_count; /* the eventfd is read into it */
	struct list queue;   /* ops that found no room in the submission queue */
	struct iovec *fixed; /* as registered; length 0: not */
};

static void prepare(struct io_uring_sqe *sqe, struct loop_op *op)
{
	int nr;
	const struct iovec *iov = loop_op_iov(op, &nr);
	uint64_t off = op->off + op->pos;
	unsigned int len = (unsigned int)iov->iov_len;

	if (op->buf_index >= 0 && op->is_write)
		io_uring_prep_write_fixed(sqe, op->fd, iov->iov_base, len, off, op->buf_index);
	else if (op->buf_index >= 0)
		io_uring_prep_read_fixed(sqe, op->fd, iov->iov_base, len, off, op->buf_index);
	else if (nr == 1 && op->is_write)
		io_uring_prep_write(sqe, op->fd, iov->iov_base, len, off);
	else if (nr == 1)
		io_uring_prep_read(sqe, op->fd, iov->iov_base, len, off);
	else if (op->is_write)
		io_uring_prep_writev(sqe, op->fd, iov, (unsigned int)nr, off);
	else
		io_uring_prep_readv(sqe, op->fd, iov, (unsigned int)nr, off);
	io_uring_sqe_set_data(sqe, op);
	if (op->may_block)
		io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
}

static void uring_start(struct loop *l, struct loop_op *op)
{
	struct uring *u = l->impl;
	struct io_uring_sqe *sqe = NULL;

	if (list_is_empty(&u->queue))
		sqe = io_uring_get_sqe(&u->ring);
	if (sqe)
		prepare(sqe, op);
	else
		list_add_tail(&u->queue, &op->node);
}

/* Fills the submission queue from what found no room before. */
static void fill(struct loop *l, struct uring *u)
{
	struct io_uring_sqe *sqe;

	if (!u->is_wake_armed && (sqe = io_uring_get_sqe(&u->ring))) {
		io_uring_prep_read(sqe, l->wake_fd, &u->wake_count, sizeof(u->wake_count), 0);
		io_uring_sqe_set_data(sqe, NULL);
		u->is_wake_armed = true;
	}
	while (!list_is_empty(&u->queue) && (sqe = io_uring_get_sqe(&u->ring)))
		prepare(sqe, list_pop_head(&u->queue, struct loop_op, node));
}

/*
 * A submission that the kernel does not take now (EBUSY, EAGAIN) stays queued until the next
 * wait.
 */
static void uring_submit(struct loop *l)
{
	struct uring *u = l->impl;
	int n;

	do {
		fill(l, u);
		n = io_uring_submit(&u->ring);
	} while (n > 0 && !list_is_empty(&u->queue));
}

static void reap(struct loop *l, struct uring *u)
{
	struct io_uring_cqe *cqes[REAP_BATCH];
	unsigned int n;

	while ((n = io_uring_peek_batch_cqe(&u->ring, cqes, REAP_BATCH))) {
		struct {
			struct loop_op *op;
			int result;
		} ended[REAP_BATCH];

		for (unsigned int i = 0; i < n; i++) {
			ended[i].op = io_uring_cqe_get_data(cqes[i]);
			ended[i].result = cqes[i]->res;
		}
		io_uring_cq_advance(&u->ring, n);
		for (unsigned int i = 0; i < n; i++) {
			if (ended[i].op)
				loop_attempt_done(l, ended[i].op, ended[i].result);
			else
				u->is_wake_armed = false;
		}
	}
}

static int wait_until(struct uring *u, uint64_t deadline_ns)
{
	uint64_t now = deadline_ns == UINT64_MAX ? 0 : clock_mono_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct __kernel_timespec ts = {
		.tv_sec = (int64_t)(left / NSEC_PER_SEC),
		.tv_nsec = (int64_t)(left % NSEC_PER_SEC),
	};
	struct io_uring_cqe *cqe;

	return io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1,
						deadline_ns == UINT64_MAX ? NULL : &ts, NULL);
}

static void uring_wait(struct loop *l, uint64_t deadline_ns)
{
	struct uring *u = l->impl;
	int err;

	if (!list_is_empty(&u->queue))
		uring_submit(l);
	fill(l, u);
	if (!deadline_ns && !l->in_flight)
		return;
	err = deadline_ns ? wait_until(u, deadline_ns) : io_uring_submit_and_get_events(&u->ring);
	if (err < 0 && err != -ETIME && err != -EINTR && err != -EAGAIN && err != -EBUSY)
		loop_nap(); /* nothing the kernel is known to say: do not spin on it */
	reap(l, u);
}

static void uring_close(struct loop *l)
{
	struct uring *u = l->impl;

	if (u->has_ring)
		io_uring_queue_exit(&u->ring);
	free(u->fixed);
	free(u);
	l->impl = NULL;
}

/*
 * What the kernel does not take (a file's mapping, the limit of locked memory) goes
 * unregistered.
 */
static void register_fixed(struct loop *l, struct uring *u, const struct loop_conf *conf)
{
	u->fixed = calloc(conf->nr_fixed ? conf->nr_fixed : 1, sizeof(*u->fixed));
	if (!u->fixed || !conf->nr_fixed)
		return;
	if (io_uring_register_buffers_sparse(&u->ring, conf->nr_fixed) < 0)
		return;
	for (unsigned int i = 0; i < conf->nr_fixed && i <= INT16_MAX; i++) {
		__u64 tag = 0;

		if (conf->fixed[i].iov_len <= FIXED_BYTES_MAX &&
		    io_uring_register_buffers_update_tag(&u->ring, i, &conf->fixed[i], &tag, 1) ==
			    1)
			u->fixed[i] = conf->fixed[i];
	}
	l->fixed = u->fixed;
	l->nr_fixed = conf->nr_fixed;
}

static int init_ring(struct uring *u, unsigned int depth)
{
	static const unsigned int tries[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int err = -EINVAL;

	for (size_t i = 0; i < array_size(tries) && err == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = tries[i] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
			.cq_entries = max(depth * 4, 256u),
		};

		err = io_uring_queue_init_params(depth, &u->ring, &p);
		if (err == 0 && (p.features & NEEDED_FEATURES) != NEEDED_FEATURES) {
			io_uring_queue_exit(&u->ring);
			return -EOPNOTSUPP;
		}
	}
	return err;
}

static const struct loop_engine uring_engine = {
	.name = "io_uring",
	.start = uring_start,
	.submit = uring_submit,
	.wait = uring_wait,
	.close = uring_close,
};

int loop_uring_open(struct loop *l, const struct loop_conf *conf)
{
	struct uring *u = calloc(1, sizeof(*u));
	unsigned int workers[2] = { conf->blocking ? conf->blocking : conf->depth, 0 };
	int err;

	if (!u)
		return -ENOMEM;
	list_init(&u->queue);
	err = init_ring(u, max(conf->depth, 2u));
	if (err) {
		free(u);
		return err;
	}
	u->has_ring = true;
	/* May fail on old kernels: their default is 4 times the processors. */
	(void)io_uring_register_iowq_max_workers(&u->ring, workers);
	l->impl = u;
	register_fixed(l, u, conf);
	l->engine = &uring_engine;
	return 0;
}
