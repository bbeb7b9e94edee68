// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * READ, WRITE and FSYNC of images: straight from the request, on the worker that read it.
 *
 * The image is asked first without leave to wait: what it can do at once is answered at once, from
 * the worker's own memory. Else the request is moved to memory that lasts and asked again; its
 * answer then comes from the thread that completes it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lcfs/fuse/meta.h"
#include "lcfs/fuse/ops.h"

/* The most frequent of all: in one piece. */
static void answer_write(struct request *rq, uint32_t size)
{
	const size_t len = sizeof(rq->out) + sizeof(rq->written);

	build_assert(offsetof(struct request, written) ==
		     offsetof(struct request, out) + sizeof(rq->out));
	rq->out = (struct fuse_out_header){ .len = (uint32_t)len, .unique = rq->unique };
	rq->written = (struct fuse_write_out){ .size = size };
	request_reply_packed(rq, (char *)rq + offsetof(struct request, out), len);
}

static void answer(struct request *rq)
{
	int result = rq->io.result;
	struct iovec iov;

	if (result < 0) {
		request_reply(rq, result, NULL, 0);
		return;
	}
	switch (rq->kind) {
	case IMAGE_READ:
		iov = (struct iovec){ rq->area + rq->off % 4096, (size_t)result };
		request_reply(rq, 0, &iov, result > 0);
		break;
	case IMAGE_WRITE:
		answer_write(rq, (uint32_t)result);
		break;
	case IMAGE_SYNC:
		request_reply(rq, 0, NULL, 0);
		break;
	}
}

static void io_done(struct image_io *io)
{
	answer(container_of(io, struct request, io));
}

static enum cache_step start(struct request *rq, bool may_wait)
{
	struct image_io *io = &rq->io;

	memset(io, 0, sizeof(*io));
	io->kind = rq->kind;
	io->img = atomic_load_explicit(&rq->target->image, memory_order_acquire);
	io->off = rq->off;
	io->len = rq->len;
	io->buf = rq->kind == IMAGE_WRITE ? rq->data : rq->area;
	io->sync = rq->is_sync;
	io->datasync = rq->is_datasync;
	io->done = io_done;
	if (rq->kind == IMAGE_READ) {
		memset(&rq->read, 0, sizeof(rq->read));
		io->mem.read = &rq->read;
	}
	return image_io_start(io, may_wait);
}

/* rq lasts. */
static void run_waiting(struct request *rq)
{
	if (start(rq, true) == CACHE_DONE)
		answer(rq);
}

/* On a metadata thread: takes away what the write takes away, then writes. */
static void run_kill(struct request *rq)
{
	OPS_USE u = OPS_NO_USE;
	int error = ops_use(rq->session, atomic_load(&rq->target->id), &u);

	if (!error)
		error = priv_kill(&u, rq->kill_suid);
	if (error)
		request_reply(rq, error, NULL, 0);
	else
		run_waiting(rq);
}

static size_t room_for(const struct request *rq)
{
	switch (rq->kind) {
	case IMAGE_READ:
		return request_read_room(rq->len);
	case IMAGE_WRITE:
		return rq->len;
	case IMAGE_SYNC:
		break;
	}
	return 0;
}

static void run(struct session *s, struct request *rq)
{
	uint32_t priv = 0;
	bool may_be_quick = !(rq->kind == IMAGE_WRITE && rq->is_sync);

	if (rq->kind == IMAGE_WRITE)
		priv = atomic_load_explicit(&rq->target->priv, memory_order_relaxed);
	if (unlikely((priv & NODE_PRIV_CAPS) || ((priv & NODE_PRIV_SUID) && rq->kill_suid))) {
		rq = request_keep(rq, room_for(rq));
		rq->run = run_kill;
		meta_submit(s->meta, META_FILES, rq);
		return;
	}
	if (may_be_quick && start(rq, false) == CACHE_DONE) {
		answer(rq);
		return;
	}
	run_waiting(request_keep(rq, room_for(rq)));
}

static int parse(struct request *rq)
{
	const struct fuse_in_header *in = rq->msg;
	const void *arg = proto_arg(rq->msg);

	/* READ and WRITE begin alike. */
	build_assert(offsetof(struct fuse_read_in, size) == offsetof(struct fuse_write_in, size));
	if (in->opcode == FUSE_FSYNC) {
		rq->kind = IMAGE_SYNC;
		rq->is_datasync = ((const struct fuse_fsync_in *)arg)->fsync_flags &
				  FUSE_FSYNC_FDATASYNC;
		return 0;
	}
	rq->off = ((const struct fuse_read_in *)arg)->offset;
	rq->len = ((const struct fuse_read_in *)arg)->size;
	if (rq->len > PROTO_MAX_IO || rq->off > (uint64_t)INT64_MAX - rq->len)
		return -EINVAL;
	if (in->opcode == FUSE_READ) {
		rq->kind = IMAGE_READ;
		return 0;
	}
	rq->kind = IMAGE_WRITE;
	rq->data = (char *)rq->msg + PROTO_WRITE_HEAD;
	rq->kill_suid = ((const struct fuse_write_in *)arg)->write_flags & FUSE_WRITE_KILL_SUIDGID;
	/* With FOPEN_DIRECT_IO no FSYNC follows: the flags are all there is. */
	rq->is_sync = ((const struct fuse_write_in *)arg)->flags & (O_SYNC | O_DSYNC);
	return 0;
}

bool io_dispatch(struct session *s, struct request *rq)
{
	const struct fuse_in_header *in = rq->msg;
	struct node *node = nodes_find(s->nodes, in->nodeid);
	int error;

	if (!node || !atomic_load_explicit(&node->image, memory_order_acquire))
		return false;
	rq->target = node;
	error = parse(rq);
	if (error)
		request_reply(rq, error, NULL, 0);
	else
		run(s, rq);
	return true;
}
