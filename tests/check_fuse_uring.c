// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transport by io_uring, with a kernel that the test plays: all of cmdring.h is here, and a
 * machine of six processors of which 1, 2 and 4 are online. Each ring has a worker, as in a
 * session.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cpulist.h"
#include "lcfs/fuse/transport.h"
#include "lcfs/io/cmdring.h"
#include "tests/check_main.h"

/* ---------------------------------------------------------------- the kernel */

#define PLACES_MAX 1024u
#define POSSIBLE 6u
#define RINGS_MAX POSSIBLE

static const unsigned int online[] = { 1, 2, 4 };

struct kplace {
	void *owner;
	struct proto_ring_head *head;
	bool is_avail;
};

struct kdone {
	void *owner;
	int result;
};

struct cmdring {
	struct cmdring_cmd queued[PLACES_MAX];
	struct proto_ring_cmd_arg arg[PLACES_MAX];
	unsigned int nr_queued; /* the owner's */
	struct kplace place[PLACES_MAX];
	unsigned int nr_places;
	struct kdone done[PLACES_MAX];
	unsigned int nr_done, nr_taken;
	bool is_awake;
};

static struct {
	pthread_mutex_t lock; /* of all that follows, and of the rings but for what is queued */
	pthread_cond_t changed;
	struct cmdring *ring[RINGS_MAX];
	unsigned int nr_rings;
	bool is_gone;	/* the connection */
	bool is_flood;	/* whoever commits gets the next request at once */
	int refused;	/* what the last place of the last ring is answered */
	int committed;	/* what the next commit is answered, once */
	uint64_t next_unique;
	unsigned int nr_sent, nr_answers, nr_registered, nr_bad;
	unsigned int nr_of[POSSIBLE];	   /* places registered, of a queue */
	struct cmdring *ring_of[POSSIBLE]; /* and by whom */
	int32_t last_error; /* of an answer */
} k;

static void done_locked(struct cmdring *r, void *owner, int result)
{
	r->done[r->nr_done++ % PLACES_MAX] = (struct kdone){ owner, result };
	pthread_cond_broadcast(&k.changed);
}

static void send_locked(struct cmdring *r, struct kplace *p, uint32_t len)
{
	p->is_avail = false;
	p->head->in = (struct fuse_in_header){
		.len = len,
		.opcode = FUSE_GETATTR,
		.unique = ++k.next_unique,
		.nodeid = FUSE_ROOT_ID,
	};
	p->head->commit_id = p->head->in.unique;
	p->head->payload_bytes = 0;
	k.nr_sent++;
	done_locked(r, p->owner, 0);
}

#define GETATTR_LEN (sizeof(struct fuse_in_header) + sizeof(struct fuse_getattr_in))

static void free_locked(struct cmdring *r, struct kplace *p)
{
	p->is_avail = true;
	if (k.is_gone)
		done_locked(r, p->owner, -ENOTCONN);
	else if (k.is_flood)
		send_locked(r, p, GETATTR_LEN);
}

static void register_locked(struct cmdring *r, const struct cmdring_cmd *cmd, unsigned int queue)
{
	const struct iovec *iov = cmd->addr;

	ck_assert_uint_eq(cmd->len, 2);
	ck_assert_uint_ge(iov[0].iov_len, sizeof(struct proto_ring_head));
	ck_assert_uint_ge(iov[1].iov_len, PROTO_MAX_IO);
	ck_assert_uint_lt(queue, POSSIBLE);
	ck_assert(!k.ring_of[queue] || k.ring_of[queue] == r);
	k.ring_of[queue] = r;
	k.nr_of[queue]++;
	k.nr_registered++;
	r->place[r->nr_places] = (struct kplace){ cmd->owner, iov[0].iov_base, false };
	free_locked(r, &r->place[r->nr_places++]);
}

static void commit_locked(struct cmdring *r, const struct cmdring_cmd *cmd, uint64_t id)
{
	struct kplace *p = NULL;
	int result = k.committed;

	for (unsigned int i = 0; i < r->nr_places; i++)
		if (r->place[i].owner == cmd->owner)
			p = &r->place[i];
	ck_assert_ptr_nonnull(p);
	ck_assert(!p->is_avail);
	k.committed = 0;
	if (result) {
		*p = r->place[--r->nr_places];
		done_locked(r, cmd->owner, result);
		return;
	}
	k.nr_answers++;
	k.nr_bad += p->head->out.unique != id || id != p->head->commit_id;
	k.last_error = p->head->out.error;
	pthread_cond_broadcast(&k.changed);
	free_locked(r, p);
}

int cmdring_open(struct cmdring **out, unsigned int nr, int fd)
{
	(void)fd;
	ck_assert_uint_le(nr, PLACES_MAX);
	*out = calloc(1, sizeof(**out));
	ck_assert_ptr_nonnull(*out);
	k.ring[k.nr_rings++] = *out;
	return 0;
}

void cmdring_close(struct cmdring *r)
{
	free(r);
}

int cmdring_begin(struct cmdring *r)
{
	(void)r;
	return 0;
}

int cmdring_send(struct cmdring *r, const struct cmdring_cmd *cmd)
{
	ck_assert_uint_eq(cmd->own_bytes, sizeof(r->arg[0]));
	memcpy(&r->arg[r->nr_queued], cmd->own, cmd->own_bytes);
	r->queued[r->nr_queued++] = *cmd;
	return 0;
}

static bool is_refused_locked(const struct cmdring *r, unsigned int i)
{
	return k.refused && r == k.ring[k.nr_rings - 1] && i == r->nr_queued - 1;
}

int cmdring_submit(struct cmdring *r)
{
	pthread_mutex_lock(&k.lock);
	for (unsigned int i = 0; i < r->nr_queued; i++) {
		const struct cmdring_cmd *cmd = &r->queued[i];

		if (cmd->op == PROTO_RING_COMMIT)
			commit_locked(r, cmd, r->arg[i].commit_id);
		else if (is_refused_locked(r, i))
			done_locked(r, cmd->owner, k.refused);
		else
			register_locked(r, cmd, r->arg[i].queue);
	}
	r->nr_queued = 0;
	pthread_mutex_unlock(&k.lock);
	return 0;
}

void *cmdring_next(struct cmdring *r, int *result)
{
	void *owner = NULL;

	pthread_mutex_lock(&k.lock);
	if (r->nr_taken < r->nr_done) {
		*result = r->done[r->nr_taken % PLACES_MAX].result;
		owner = r->done[r->nr_taken++ % PLACES_MAX].owner;
	}
	pthread_mutex_unlock(&k.lock);
	return owner;
}

int cmdring_wait(struct cmdring *r)
{
	ck_assert_int_eq(cmdring_submit(r), 0);
	pthread_mutex_lock(&k.lock);
	while (r->nr_taken == r->nr_done && !r->is_awake)
		pthread_cond_wait(&k.changed, &k.lock);
	r->is_awake = false;
	pthread_mutex_unlock(&k.lock);
	return 0;
}

void cmdring_wake(struct cmdring *r)
{
	pthread_mutex_lock(&k.lock);
	r->is_awake = true;
	pthread_cond_broadcast(&k.changed);
	pthread_mutex_unlock(&k.lock);
}

int __wrap_cpulist_read(const char *path, cpu_set_t *set);

int __wrap_cpulist_read(const char *path, cpu_set_t *set)
{
	bool is_online = strstr(path, "online");

	CPU_ZERO(set);
	for (unsigned int i = 0; i < POSSIBLE && !is_online; i++)
		CPU_SET(i, set);
	for (unsigned int i = 0; i < array_size(online); i++)
		CPU_SET(online[i], set);
	return CPU_COUNT(set);
}

/* A request to each place that takes one, of each ring. How many. */
static unsigned int send_to_all(uint32_t len)
{
	unsigned int nr = 0;

	pthread_mutex_lock(&k.lock);
	for (unsigned int i = 0; i < k.nr_rings; i++)
		for (unsigned int n = 0; n < k.ring[i]->nr_places; n++)
			if (k.ring[i]->place[n].is_avail) {
				send_locked(k.ring[i], &k.ring[i]->place[n], len);
				nr++;
			}
	pthread_mutex_unlock(&k.lock);
	return nr;
}

static void wait_for_answers(unsigned int nr)
{
	pthread_mutex_lock(&k.lock);
	while (k.nr_answers < nr)
		pthread_cond_wait(&k.changed, &k.lock);
	pthread_mutex_unlock(&k.lock);
}

static void end_connection(void)
{
	pthread_mutex_lock(&k.lock);
	k.is_gone = true;
	for (unsigned int i = 0; i < k.nr_rings; i++)
		for (unsigned int n = 0; n < k.ring[i]->nr_places; n++)
			if (k.ring[i]->place[n].is_avail)
				free_locked(k.ring[i], &k.ring[i]->place[n]);
	pthread_mutex_unlock(&k.lock);
}

/* ---------------------------------------------------------------- the session */

static struct {
	struct transport *t;
	pthread_t worker[1 + RINGS_MAX], helper;
	int result[1 + RINGS_MAX];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list waiting; /* of those that are answered by the helper */
	bool is_holding;     /* it answers nothing */
	bool is_slow;	     /* it always has some */
	bool is_over;
	atomic_uint nr_got;
} s;

static atomic_bool dev_stopped;

static int dev_next(struct transport *t, unsigned int worker, struct request **rq)
{
	(void)t;
	(void)worker;
	(void)rq;
	while (!atomic_load(&dev_stopped))
		usleep(1000);
	return -EINTR;
}

static void dev_stop(struct transport *t)
{
	(void)t;
	atomic_store(&dev_stopped, true);
}

static void dev_nothing(struct transport *t)
{
	(void)t;
}

static const struct transport_ops dev_ops = {
	.next = dev_next,
	.stop = dev_stop,
	.drain = dev_nothing,
	.close = dev_nothing,
};
static struct transport dev = { .ops = &dev_ops, .nr_workers = 1 };

static void *worker_main(void *arg)
{
	unsigned int i = (unsigned int)(uintptr_t)arg;
	struct request *rq;

	while ((s.result[i] = transport_next(s.t, i, &rq)) == 0) {
		if (atomic_fetch_add(&s.nr_got, 1) % 2 && !s.is_holding) {
			request_reply(rq, 0, NULL, 0);
			continue;
		}
		pthread_mutex_lock(&s.lock);
		list_add_tail(&s.waiting, &rq->node);
		pthread_cond_broadcast(&s.changed);
		pthread_mutex_unlock(&s.lock);
	}
	return NULL;
}

static void *helper_main(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&s.lock);
	for (;;) {
		while (s.is_holding || list_is_empty(&s.waiting)) {
			if (s.is_over)
				break;
			pthread_cond_wait(&s.changed, &s.lock);
		}
		if (list_is_empty(&s.waiting))
			break;
		struct request *rq = list_pop_head(&s.waiting, struct request, node);
		pthread_mutex_unlock(&s.lock);
		if (s.is_slow)
			usleep(1000);
		request_reply(rq, 0, NULL, 0);
		pthread_mutex_lock(&s.lock);
	}
	pthread_mutex_unlock(&s.lock);
	return NULL;
}

static void start(void)
{
	pthread_mutex_init(&k.lock, NULL);
	pthread_cond_init(&k.changed, NULL);
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.changed, NULL);
	list_init(&s.waiting);
	s.t = &dev;
	ck_assert_int_eq(transport_uring_open(&s.t, NULL, -1), 0);
	ck_assert_uint_eq(s.t->nr_workers, 1 + k.nr_rings);
	pthread_create(&s.helper, NULL, helper_main, NULL);
	for (unsigned int i = 0; i < s.t->nr_workers; i++)
		pthread_create(&s.worker[i], NULL, worker_main, (void *)(uintptr_t)i);
}

static void join_workers(void)
{
	for (unsigned int i = 0; i < s.t->nr_workers; i++)
		pthread_join(s.worker[i], NULL);
}

/* The workers have ended. */
static void finish(void)
{
	pthread_mutex_lock(&s.lock);
	s.is_holding = false;
	s.is_over = true;
	pthread_cond_broadcast(&s.changed);
	pthread_mutex_unlock(&s.lock);
	transport_drain(s.t);
	pthread_join(s.helper, NULL);
	ck_assert_uint_eq(k.nr_bad, 0);
	transport_close(s.t);
}

static void stop_and_finish(void)
{
	transport_stop(s.t);
	join_workers();
	for (unsigned int i = 0; i < s.t->nr_workers; i++)
		ck_assert_int_eq(s.result[i], -EINTR);
	finish();
}

/* ---------------------------------------------------------------- tests */

START_TEST(answers_go_back_whoever_gives_them)
{
	unsigned int nr = 0;

	start();
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	for (int round = 0; round < 20; round++) {
		nr += send_to_all(GETATTR_LEN);
		wait_for_answers(nr);
	}
	ck_assert_uint_ge(nr, 20 * k.nr_rings);
	ck_assert_int_eq(k.last_error, 0);
	stop_and_finish();
}
END_TEST

START_TEST(each_possible_processor_is_served)
{
	start();
	ck_assert_uint_eq(k.nr_rings, array_size(online));
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	for (unsigned int q = 0; q < POSSIBLE; q++)
		ck_assert_uint_ge(k.nr_of[q], 1);
	for (unsigned int i = 0; i < array_size(online); i++) {
		ck_assert_uint_ge(k.nr_of[online[i]], 32);
		ck_assert_ptr_eq(k.ring_of[online[i]], k.ring[i]);
	}
	ck_assert_uint_ge(send_to_all(GETATTR_LEN), POSSIBLE);
	wait_for_answers(k.nr_registered);
	stop_and_finish();
}
END_TEST

START_TEST(a_place_that_is_not_taken_is_an_error_of_the_mount)
{
	k.refused = -ENOMEM;
	start();
	ck_assert_int_eq(transport_wait_ready(s.t), -ENOMEM);
	transport_stop(s.t);
	join_workers();
	ck_assert_int_eq(s.result[k.nr_rings], -ENOMEM);
	finish();
}
END_TEST

START_TEST(the_end_of_the_connection_is_no_error)
{
	start();
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	end_connection();
	for (unsigned int i = 1; i < s.t->nr_workers; i++) {
		pthread_join(s.worker[i], NULL);
		ck_assert_int_eq(s.result[i], -ENODEV);
	}
	transport_stop(s.t);
	pthread_join(s.worker[0], NULL);
	finish();
}
END_TEST

START_TEST(what_is_out_at_the_end_of_the_connection_is_waited_for)
{
	unsigned int nr;

	s.is_holding = true;
	start();
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	nr = send_to_all(GETATTR_LEN);
	while (atomic_load(&s.nr_got) < nr)
		usleep(1000);
	end_connection();
	pthread_mutex_lock(&s.lock);
	s.is_holding = false;
	pthread_cond_broadcast(&s.changed);
	pthread_mutex_unlock(&s.lock);
	for (unsigned int i = 1; i < s.t->nr_workers; i++) {
		pthread_join(s.worker[i], NULL);
		ck_assert_int_eq(s.result[i], -ENODEV);
	}
	ck_assert_uint_eq(k.nr_answers, nr);
	transport_stop(s.t);
	pthread_join(s.worker[0], NULL);
	finish();
}
END_TEST

START_TEST(a_stop_ends_it_although_requests_keep_coming)
{
	k.is_flood = s.is_slow = true;
	start();
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	wait_for_answers(200);
	stop_and_finish();
	ck_assert_uint_ge(k.nr_sent, 200);
	/* What was begun has been answered, and the answers have been sent. */
	ck_assert_uint_eq(k.nr_answers, atomic_load(&s.nr_got));
}
END_TEST

START_TEST(a_lost_place_ends_the_session)
{
	unsigned int nr, nr_lost = 0;

	start();
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	k.committed = -EINVAL;
	nr = send_to_all(GETATTR_LEN);
	ck_assert_uint_gt(nr, 0);
	join_workers();
	for (unsigned int i = 0; i < s.t->nr_workers; i++) {
		ck_assert(s.result[i] == -EINTR || s.result[i] == -EINVAL);
		nr_lost += s.result[i] == -EINVAL;
	}
	ck_assert_uint_eq(nr_lost, 1);
	finish();
}
END_TEST

START_TEST(a_place_whose_request_went_away_is_registered_anew)
{
	unsigned int nr, registered;

	start();
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	registered = k.nr_registered;
	k.committed = -ENOENT;
	nr = send_to_all(GETATTR_LEN);
	wait_for_answers(nr - 1);
	do
		usleep(1000);
	while (send_to_all(GETATTR_LEN) == 0);
	stop_and_finish();
	ck_assert_uint_eq(k.nr_registered, registered + 1);
}
END_TEST

START_TEST(what_is_no_request_is_answered)
{
	const uint32_t bad[] = { 0, sizeof(struct fuse_in_header) - 1,
				 sizeof(struct fuse_in_header) + 129, UINT32_MAX };
	unsigned int nr = 0;

	start();
	ck_assert_int_eq(transport_wait_ready(s.t), 0);
	for (size_t i = 0; i < array_size(bad); i++) {
		nr += send_to_all(bad[i]);
		wait_for_answers(nr);
		ck_assert_int_eq(k.last_error, -EIO);
	}
	ck_assert_uint_eq(atomic_load(&s.nr_got), 0);
	stop_and_finish();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("fuse_uring");

	CHECK_CASE(suite, "requests", each_possible_processor_is_served,
		   answers_go_back_whoever_gives_them,
		   a_place_whose_request_went_away_is_registered_anew,
		   what_is_no_request_is_answered);
	CHECK_CASE(suite, "ends", a_place_that_is_not_taken_is_an_error_of_the_mount,
		   the_end_of_the_connection_is_no_error,
		   what_is_out_at_the_end_of_the_connection_is_waited_for,
		   a_stop_ends_it_although_requests_keep_coming, a_lost_place_ends_the_session);
	return suite;
}

CHECK_MAIN(make_suite)
