// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transport by FUSE over io_uring.
 *
 * The kernel has a queue for each possible processor, and gives a request to that of the
 * processor it comes from. Each processor that is online has a worker, which stays on it and owns
 * a ring; the queues of the others are served by the first one. A queue has places: a place is a
 * head, a payload and a request in front of them, registered once, and holds one request at a
 * time until that is answered. So nothing is copied to wait, and no request takes a place from
 * another processor's.
 *
 *	 registered ──request──▶ out (the core's, a metadata thread's) ──answer──▶ committed
 *	     ▲                                                                        │
 *	     └────────────────────────────────────────────────────────────────────────┘
 *
 * Only a ring's own worker may commit. What another thread answers it puts into the place, hands
 * the place to that worker, and wakes it if it may sleep.
 *
 * The kernel sends nothing before each queue has a place, and holds back for ever what goes to a
 * queue that has lost its last one. So either all places are taken when the mount begins, or it
 * is refused; and a place that is lost later, which no known kernel does, ends the session.
 *
 * A commit fetches the next request, so the kernel cannot be asked to send no more. What comes
 * after transport_stop() stays where it is, until the connection ends.
 *
 * Whatever the kernel cannot send that way (FORGET, INTERRUPT) comes by /dev/fuse, to the first
 * worker, which is that of transport_dev.c; notifications go there, too.
 *
 * Memory is locked from its first use on. That of small requests is there from the beginning, and
 * that of large ones in some places, which are those that the kernel uses first: so that who
 * writes back to free memory does not wait for some.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/align.h"
#include "common/cpulist.h"
#include "common/messages.h"
#include "common/mutex.h"
#include "lcfs/fuse/cpustay.h"
#include "lcfs/fuse/ranks.h"
#include "lcfs/fuse/transport.h"
#include "lcfs/io/cmdring.h"
#include "lcfs/io/iobuf.h"

#define POSSIBLE "/sys/devices/system/cpu/possible"
#define ONLINE "/sys/devices/system/cpu/online"

/* Places of a processor: as many requests can wait there. */
#define PLACES 64u
#define PLACES_MANY_CPUS 32u
#define MANY_CPUS 16
/*
 * A place: the request; a page that begins with the head and ends, right before the payload, with
 * a copy of what stands in it, so that a message is in one piece; the payload, with what reading
 * whole blocks needs.
 */
#define HEAD align_up(sizeof(struct request), 4096)
#define MSG_PAGE 4096u
#define PAYLOAD (PROTO_MAX_IO + 2 * 4096)
#define PLACE_BYTES (HEAD + MSG_PAGE + PAYLOAD)
#define PLACE_BYTES_SMALL (HEAD + MSG_PAGE + 3 * 4096)

/* One place of so many of a processor, those registered last, is there as a whole. */
#define WHOLE_OF 8u

struct place {
	struct ring *ring;	/* const */
	struct request *rq;	/* const: its memory */
	struct iovec iov[2];	/* const: as registered */
	uint64_t commit_id;	/* owner: whose the request is */
	uint32_t payload_bytes; /* the same: of the answer */
	uint16_t queue;		/* const */
	struct list node;	/* in ring->answered */
};

struct ring {
	struct uring *u;	 /* const */
	struct cmdring *cmds;	 /* const */
	unsigned int cpu;	 /* const */
	unsigned int nr_places;	 /* const */
	struct place *places;	 /* const */
	bool has_begun;		 /* worker's */
	bool is_ready;		 /* worker's: it has been said how registering went */
	unsigned int nr_live;	 /* worker's: places that the kernel knows */
	unsigned int nr_out;	 /* worker's: places with a request that is not answered */
	int error;		 /* worker's: why it lost a place, other than the end */
	struct cpustay stay;	 /* worker's */
	struct mutex lock;
	struct cond drained;
	struct list answered; /* lock: by other threads; place */
	bool is_dead;	      /* lock: nobody commits any more; nr_out is under lock, too */
};

struct uring {
	struct transport t;
	struct transport *dev;
	struct session *session; /* const */
	atomic_bool is_stopping;
	struct mutex lock;
	struct cond began;
	unsigned int nr_began; /* lock: rings whose places the kernel has taken, or not */
	int begin_error;       /* lock: why not */
	void *mem;	       /* of all places */
	size_t bytes;
	struct place *places;
	unsigned int nr_rings; /* const */
	struct ring rings[];
};

static _Thread_local struct ring *mine;

static struct uring *uring_of(struct transport *t)
{
	return container_of(t, struct uring, t);
}

static struct place *place_of(const struct request *rq)
{
	return (struct place *)rq->place;
}

/* ---------------------------------------------------------------- commands */

static struct proto_ring_head *head_of(const struct place *p)
{
	return p->iov[0].iov_base;
}

static char *payload_of(const struct place *p)
{
	return p->iov[1].iov_base;
}

static int send_command(struct place *p, enum proto_ring_cmd op)
{
	const struct proto_ring_cmd_arg own = { .commit_id = p->commit_id, .queue = p->queue };
	const bool is_new = op == PROTO_RING_REGISTER;
	const struct cmdring_cmd cmd = {
		.op = op,
		.addr = is_new ? p->iov : NULL,
		.len = is_new ? array_size(p->iov) : 0,
		.own = &own,
		.own_bytes = sizeof(own),
		.owner = p,
	};

	return cmdring_send(p->ring->cmds, &cmd);
}

/* A place that cannot be used again. That it is so at the end of the connection is no error. */
static void lose(struct ring *r, int error)
{
	r->nr_live--;
	if (error != -ENOTCONN && error != -ECONNABORTED && error != -ECANCELED)
		r->error = error;
}

static void commit(struct place *p)
{
	struct ring *r = p->ring;
	int error;

	head_of(p)->payload_bytes = p->payload_bytes;
	error = send_command(p, PROTO_RING_COMMIT);
	r->nr_out--;
	if (error)
		lose(r, error);
}

/* What other threads have answered. */
static void commit_answered(struct ring *r)
{
	struct list answered;

	list_init(&answered);
	mutex_lock(&r->lock);
	list_splice_tail(&answered, &r->answered);
	mutex_unlock(&r->lock);
	while (!list_is_empty(&answered))
		commit(list_pop_head(&answered, struct place, node));
}

static void answered(struct place *p)
{
	struct ring *r = p->ring;

	to_kernel(r->u->dev);
	if (mine == r) {
		commit(p);
		return;
	}
	LOCK_SCOPE(&r->lock);
	if (r->is_dead) {
		if (--r->nr_out == 0)
			cond_broadcast(&r->drained);
		return;
	}
	if (list_is_empty(&r->answered))
		cmdring_wake(r->cmds);
	list_add_tail(&r->answered, &p->node);
}

/* ---------------------------------------------------------------- requests */

/* The message in one piece, in front of the payload. NULL: it is none. */
static struct request *request_of(struct place *p)
{
	const struct proto_ring_head *head = head_of(p);
	size_t rest = head->in.len - sizeof(head->in) - head->payload_bytes;
	struct request *rq = p->rq;
	char *msg;

	if (head->in.len < sizeof(head->in) + head->payload_bytes || rest > sizeof(head->op_in) ||
	    head->payload_bytes > PROTO_MAX_IO)
		return NULL;
	memset(rq, 0, offsetof(struct request, io));
	rq->transport = &p->ring->u->t;
	rq->session = p->ring->u->session;
	rq->place = p;
	rq->unique = head->in.unique;
	rq->area = payload_of(p);
	rq->area_bytes = PAYLOAD;
	list_init(&rq->node);
	msg = payload_of(p) - rest - sizeof(head->in);
	memcpy(msg, &head->in, sizeof(head->in));
	memcpy(msg + sizeof(head->in), head->op_in, rest);
	rq->msg = msg;
	rq->msg_len = head->in.len;
	p->commit_id = head->commit_id;
	return rq;
}

static void answer_error(struct place *p, uint64_t unique, int error)
{
	head_of(p)->out = (struct fuse_out_header){
		.len = sizeof(struct fuse_out_header),
		.error = error,
		.unique = unique,
	};
	p->payload_bytes = 0;
	answered(p);
}

static struct request *uring_keep(struct request *rq, size_t room)
{
	assert(room <= rq->area_bytes);
	(void)room;
	return rq;
}

static struct request *uring_copy(struct request *rq)
{
	return rq;
}

static void uring_end(struct request *rq)
{
	/* Those that want no answer come by /dev/fuse; who is asked like this gets one. */
	answer_error(place_of(rq), rq->unique, -EIO);
}

static void uring_reply(struct request *rq, struct iovec *iov, int nr)
{
	struct place *p = place_of(rq);
	char *to = payload_of(p);

	head_of(p)->out = rq->out;
	for (int i = 1; i < nr; i++) {
		if (to != iov[i].iov_base)
			memmove(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
		assert(to <= payload_of(p) + PROTO_MAX_IO);
	}
	p->payload_bytes = (uint32_t)(to - payload_of(p));
	answered(p);
}

static int uring_reply_packed(struct request *rq, const void *msg, size_t len)
{
	struct place *p = place_of(rq);
	const struct fuse_out_header *out = msg;

	assert(len >= sizeof(*out) && len - sizeof(*out) <= PROTO_MAX_IO);
	head_of(p)->out = *out;
	p->payload_bytes = (uint32_t)(len - sizeof(*out));
	memmove(payload_of(p), out + 1, p->payload_bytes);
	answered(p);
	return 0;
}

static int uring_notify(struct transport *t, struct iovec *iov, int nr)
{
	struct transport *dev = uring_of(t)->dev;

	return dev->ops->notify(dev, iov, nr);
}

/* ---------------------------------------------------------------- workers */

static int begin(struct ring *r)
{
	int error = cmdring_begin(r->cmds);

	mine = r;
	r->has_begun = true;
	cpustay_begin(&r->stay, r->cpu);
	for (unsigned int i = 0; i < r->nr_places && !error; i++) {
		error = send_command(&r->places[i], PROTO_RING_REGISTER);
		if (!error)
			r->nr_live++;
	}
	/* What the kernel does not take comes back at once. */
	return error ? error : cmdring_submit(r->cmds);
}

/* How registering went, once. */
static void tell_ready(struct ring *r, int error)
{
	struct uring *u = r->u;

	if (r->is_ready)
		return;
	r->is_ready = true;
	LOCK_SCOPE(&u->lock);
	u->nr_began++;
	if (error && !u->begin_error)
		u->begin_error = error;
	cond_broadcast(&u->began);
}

/* What came back. NULL: no request, but something else about the place. */
static struct request *take(struct ring *r, struct place *p, int result)
{
	struct request *rq;
	int error;

	if (result == -ENOENT) { /* the request went away, and the registration with it */
		error = send_command(p, PROTO_RING_REGISTER);
		if (error)
			lose(r, error);
		return NULL;
	}
	if (result < 0) {
		lose(r, result);
		return NULL;
	}
	if (atomic_load(&r->u->is_stopping)) {
		lose(r, -ECANCELED);
		return NULL;
	}
	from_kernel(r->u->dev);
	r->nr_out++;
	cpustay_got(&r->stay);
	rq = request_of(p);
	if (!rq) {
		p->commit_id = head_of(p)->commit_id;
		answer_error(p, head_of(p)->in.unique, -EIO);
	}
	return rq;
}

/* Nobody would serve that processor: then the others do not, either. */
static int give_up(struct ring *r, int error)
{
	if (r->is_ready)
		msg_err("/dev/fuse: io_uring of processor %u: %s: the mount ends; mount without "
			"transport=uring",
			r->cpu, strerror(-error));
	tell_ready(r, error);
	(void)!cmdring_submit(r->cmds);
	mutex_lock(&r->lock);
	r->is_dead = true;
	while (!list_is_empty(&r->answered)) {
		(void)list_pop_head(&r->answered, struct place, node);
		r->nr_out--;
	}
	mutex_unlock(&r->lock);
	transport_stop(&r->u->t);
	return error;
}

/* All is answered: the last answers have not been sent yet. */
static int end_by_stop(struct ring *r)
{
	int error = cmdring_submit(r->cmds);

	return error ? give_up(r, error) : -EINTR;
}

static int ring_next(struct ring *r, struct request **rq)
{
	struct place *p;
	int result, error = r->has_begun ? 0 : begin(r);

	while (!error) {
		while ((p = cmdring_next(r->cmds, &result))) {
			*rq = take(r, p, result);
			if (*rq)
				return 0;
		}
		commit_answered(r);
		if (r->error)
			break;
		tell_ready(r, 0);
		if (atomic_load(&r->u->is_stopping) && r->nr_out == 0)
			return end_by_stop(r);
		if (r->nr_live == 0)
			return -ENODEV;
		cpustay_wait(&r->stay);
		error = cmdring_wait(r->cmds);
	}
	return give_up(r, error ? error : r->error);
}

static int uring_next(struct transport *t, unsigned int worker, struct request **rq)
{
	struct uring *u = uring_of(t);

	return worker ? ring_next(&u->rings[worker - 1], rq) : transport_next(u->dev, 0, rq);
}

static int uring_wait_ready(struct transport *t)
{
	struct uring *u = uring_of(t);

	LOCK_SCOPE(&u->lock);
	while (u->nr_began < u->nr_rings && !u->begin_error)
		cond_wait(&u->began, &u->lock);
	return u->begin_error;
}

static void uring_stop(struct transport *t)
{
	struct uring *u = uring_of(t);

	atomic_store(&u->is_stopping, true);
	for (unsigned int i = 0; i < u->nr_rings; i++)
		cmdring_wake(u->rings[i].cmds);
	transport_stop(u->dev);
}

/* Other workers end when they have none out any more. */
static void uring_drain(struct transport *t)
{
	struct uring *u = uring_of(t);

	for (unsigned int i = 0; i < u->nr_rings; i++) {
		struct ring *r = &u->rings[i];

		LOCK_SCOPE(&r->lock);
		while (r->is_dead && r->nr_out)
			cond_wait(&r->drained, &r->lock);
	}
	transport_drain(u->dev);
}

/* ---------------------------------------------------------------- making it */

static void free_rings(struct uring *u)
{
	for (unsigned int i = 0; i < u->nr_rings; i++) {
		cmdring_close(u->rings[i].cmds);
		cond_destroy(&u->rings[i].drained);
		mutex_destroy(&u->rings[i].lock);
	}
	if (u->mem)
		munmap(u->mem, u->bytes);
	cond_destroy(&u->began);
	mutex_destroy(&u->lock);
	free(u->places);
	free(u);
}

static void uring_close(struct transport *t)
{
	struct uring *u = uring_of(t);

	transport_close(u->dev);
	free_rings(u);
}

static const struct transport_ops uring_ops = {
	.next = uring_next,
	.wait_ready = uring_wait_ready,
	.keep = uring_keep,
	.copy = uring_copy,
	.reply = uring_reply,
	.reply_packed = uring_reply_packed,
	.end = uring_end,
	.notify = uring_notify,
	.stop = uring_stop,
	.drain = uring_drain,
	.close = uring_close,
};

static void add_place(struct uring *u, struct ring *r, unsigned int queue, bool is_whole)
{
	struct place *p = &r->places[r->nr_places++];
	char *mem = (char *)u->mem + (size_t)(p - u->places) * PLACE_BYTES;

	p->ring = r;
	p->queue = (uint16_t)queue;
	p->rq = (void *)mem;
	p->iov[0] = (struct iovec){ mem + HEAD, sizeof(struct proto_ring_head) };
	p->iov[1] = (struct iovec){ mem + HEAD + MSG_PAGE, PROTO_MAX_IO };
	list_init(&p->node);
	iobuf_populate(mem, is_whole ? PLACE_BYTES : PLACE_BYTES_SMALL);
}

/* Each ring's places one after the other: those of its own queue, the first one's of all others. */
static int make_places(struct uring *u, const cpu_set_t *online, unsigned int nr_queues,
		       unsigned int each)
{
	size_t nr = (size_t)u->nr_rings * each + (nr_queues - u->nr_rings);
	struct place *next;

	u->bytes = nr * PLACE_BYTES;
	u->places = next = calloc(nr, sizeof(*u->places));
	if (!u->places || iobuf_reserve(&u->mem, u->bytes, &u->t.lock_error))
		return -ENOMEM;
	for (unsigned int i = 0; i < u->nr_rings; i++) {
		struct ring *r = &u->rings[i];

		r->places = next;
		for (unsigned int n = 0; n < each; n++)
			add_place(u, r, r->cpu, n >= each - each / WHOLE_OF);
		for (unsigned int q = 0; i == 0 && q < nr_queues; q++)
			if (!CPU_ISSET(q, online))
				add_place(u, r, q, false);
		next += r->nr_places;
	}
	return 0;
}

static void make_rings(struct uring *u, const cpu_set_t *online, unsigned int nr_queues)
{
	for (unsigned int cpu = 0; cpu < nr_queues; cpu++) {
		struct ring *r = &u->rings[u->nr_rings];

		if (!CPU_ISSET(cpu, online))
			continue;
		r->u = u;
		r->cpu = cpu;
		list_init(&r->answered);
		mutex_init(&r->lock, RANK_TRANSPORT, "ring");
		cond_init(&r->drained);
		u->nr_rings++;
	}
}

static int make_all(struct uring *u, const cpu_set_t *online, unsigned int nr_queues, int fd)
{
	unsigned int each;
	int error;

	make_rings(u, online, nr_queues);
	if (!u->nr_rings)
		return -ENODEV;
	each = u->nr_rings > MANY_CPUS ? PLACES_MANY_CPUS : PLACES;
	error = make_places(u, online, nr_queues, each);
	for (unsigned int i = 0; i < u->nr_rings && !error; i++)
		error = cmdring_open(&u->rings[i].cmds, u->rings[i].nr_places, fd);
	return error;
}

int transport_uring_open(struct transport **t, struct session *session, int main_fd)
{
	cpu_set_t possible, online;
	int nr_queues = cpulist_read(POSSIBLE, &possible);
	int nr_online = cpulist_read(ONLINE, &online);
	struct uring *u;
	int error;

	if (nr_queues < 0 || nr_online < 0)
		return nr_queues < 0 ? nr_queues : nr_online;
	u = calloc(1, sizeof(*u) + (size_t)nr_online * sizeof(u->rings[0]));
	if (!u)
		return -ENOMEM;
	u->session = session;
	u->t.ops = &uring_ops;
	u->dev = *t;
	mutex_init(&u->lock, RANK_TRANSPORT, "uring");
	cond_init(&u->began);
	error = make_all(u, &online, (unsigned int)nr_queues, main_fd);
	if (error) {
		free_rings(u);
		return error;
	}
	u->t.nr_workers = 1 + u->nr_rings;
	if ((*t)->lock_error)
		u->t.lock_error = (*t)->lock_error;
	*t = &u->t;
	return 0;
}
