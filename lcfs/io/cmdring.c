// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands to a driver, each kept until it has something to say. */
#include "lcfs/io/cmdring.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"

#define FLAGS \
	(IORING_SETUP_SQE128 | IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | \
	 IORING_SETUP_DEFER_TASKRUN)

struct cmdring {
	struct io_uring ring;
	int fd;		     /* const */
	int wake_fd;	     /* const */
	bool is_fixed;	     /* owner's: fd is registered, as file 0 */
	bool is_wake_armed;  /* owner's: a read of wake_fd is under way */
	uint64_t wake_count; /* where it reads to */
};

int cmdring_open(struct cmdring **out, unsigned int nr, int fd)
{
	struct cmdring *r = calloc(1, sizeof(*r));
	int error;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->fd = fd;
	/* One more: the wake-up. */
	error = io_uring_queue_init(nr + 1, &r->ring, FLAGS);
	if (error) {
		free(r);
		return error;
	}
	r->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (r->wake_fd < 0) {
		error = -errno;
		io_uring_queue_exit(&r->ring);
		free(r);
		return error;
	}
	*out = r;
	return 0;
}

void cmdring_close(struct cmdring *r)
{
	if (!r)
		return;
	io_uring_queue_exit(&r->ring);
	cleanup_fd(&r->wake_fd);
	free(r);
}

int cmdring_begin(struct cmdring *r)
{
	/* The call of liburing 2.3 for this is declared, but not in the library. */
	if (syscall(SYS_io_uring_register, r->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
		    0) < 0)
		return -errno;
	/* Both only save the kernel a search for each entry. */
	(void)io_uring_register_ring_fd(&r->ring);
	r->is_fixed = io_uring_register_files(&r->ring, &r->fd, 1) == 0;
	return 0;
}

static struct io_uring_sqe *get_sqe(struct cmdring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	if (sqe || io_uring_submit(&r->ring) < 0)
		return sqe;
	return io_uring_get_sqe(&r->ring);
}

int cmdring_send(struct cmdring *r, const struct cmdring_cmd *cmd)
{
	struct io_uring_sqe *sqe = get_sqe(r);

	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, sizeof(*sqe) + 64);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = r->is_fixed ? 0 : r->fd;
	sqe->flags = r->is_fixed ? IOSQE_FIXED_FILE : 0;
	sqe->cmd_op = cmd->op;
	sqe->addr = (uint64_t)(uintptr_t)cmd->addr;
	sqe->len = cmd->len;
	memcpy(sqe->cmd, cmd->own, min(cmd->own_bytes, (size_t)CMDRING_BYTES));
	io_uring_sqe_set_data(sqe, cmd->owner);
	return 0;
}

void *cmdring_next(struct cmdring *r, int *result)
{
	struct io_uring_cqe *cqe;
	void *owner;

	while (io_uring_peek_cqe(&r->ring, &cqe) == 0) {
		owner = io_uring_cqe_get_data(cqe);
		*result = cqe->res;
		io_uring_cqe_seen(&r->ring, cqe);
		if (owner)
			return owner;
		r->is_wake_armed = false;
	}
	return NULL;
}

int cmdring_submit(struct cmdring *r)
{
	while (io_uring_sq_ready(&r->ring)) {
		int n = io_uring_submit(&r->ring);

		if (n < 0 && n != -EINTR)
			return n;
	}
	return 0;
}

static int arm_wake(struct cmdring *r)
{
	struct io_uring_sqe *sqe;

	if (r->is_wake_armed)
		return 0;
	sqe = get_sqe(r);
	if (!sqe)
		return -EBUSY;
	io_uring_prep_read(sqe, r->wake_fd, &r->wake_count, sizeof(r->wake_count), 0);
	io_uring_sqe_set_data(sqe, NULL);
	r->is_wake_armed = true;
	return 0;
}

int cmdring_wait(struct cmdring *r)
{
	int n = arm_wake(r);

	if (n < 0)
		return n;
	n = io_uring_submit_and_wait(&r->ring, 1);
	/* Queued entries stay queued. */
	return n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY ? n : 0;
}

void cmdring_wake(struct cmdring *r)
{
	const uint64_t one = 1;

	(void)!write(r->wake_fd, &one, sizeof(one));
}
