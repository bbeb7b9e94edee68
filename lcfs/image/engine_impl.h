/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine from the inside. */
#ifndef LCFS_IMAGE_ENGINE_IMPL_H
#define LCFS_IMAGE_ENGINE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/mutex.h"
#include "lcfs/image/engine.h"
#include "lcfs/io/loop.h"

/* Below them nothing is taken; above them, nothing is held by who carries. */
#define ENGINE_TURN_RANK 10 /* the log thread has it while it works */
#define ENGINE_RANK 800
#define ENGINE_COMMIT_RANK 801
#define ENGINE_BACK_RANK 802

#define ENGINE_LOG_SLOTS 64
#define ENGINE_DEV_SLOTS 256
#define ENGINE_BACK_SLOTS 1024
#define ENGINE_BACK_THREADS_MAX 64

/* An action that is in flight on a loop. */
struct engine_slot {
	struct loop_op op;
	struct engine *engine;
	struct action *action;
	struct engine_lane *lane;
	struct list node;	   /* in lane->free or lane->again */
	unsigned int tries;	   /* reads of the cache device: those that failed */
	uint64_t again_ns;	   /* in lane->again: when it is started once more */
	_Atomic uint64_t since_ns; /* when it was started; 0: it is free */
};

/* Actions for a loop, and the slots they may fill; owner: the loop's thread. */
struct engine_lane {
	struct loop *loop;
	struct list pending; /* actions that wait for a slot */
	struct list free;
	struct list again; /* reads of the cache device that failed, a moment ago */
	bool is_trying;	   /* one of them is out */
	struct engine_slot *slots;
	unsigned int nr_slots, nr_used;
};

/* Records and flushes; see engine_log.c. */
struct engine_log {
	pthread_t thread;
	bool has_thread;
	struct loop *loop; /* const after start */
	/* owner: log thread */
	struct list encodes, writes, flushes;
	struct engine_lane lane;
	/* the committer */
	pthread_t committer;
	bool has_committer;
	struct mutex lock;
	struct cond has_work;
	/* when the plain call of whose turn it is, the flush of the committer, that of a lent
	 * thread began; 0: none */
	_Atomic uint64_t call_since_ns, commit_since_ns, lent_since_ns;
	struct mutex turn; /* who has it is the log thread: its lists, the lane, the plain call */
	struct list committing; /* lock: flushes */
	struct list telling;	/* lock: requests whose owners are to be told */
	bool is_ending;		/* lock */
};

/* Device and backing I/O, timers; see engine_io.c. */
struct engine_io {
	pthread_t thread;
	bool has_thread;
	struct loop *loop; /* const after start */
	/* owner: I/O thread */
	struct list todo;
	struct engine_lane dev, back;
	uint64_t sampled_at, govern_at; /* the governor's last sample; when to look again */
	bool is_hang_told;		/* the core knows of a request that hangs */
	_Atomic bool has_ended;		/* it does not look at the core any more */
	/* any thread reads it: what the sleep of the I/O thread ends at, at the latest */
	_Atomic uint64_t sleeps_until;
};

/* Blocking calls on backing files; see engine_back.c. */
struct engine_back {
	pthread_t thread[ENGINE_BACK_THREADS_MAX];
	unsigned int nr_threads; /* lock, but at start and end */
	struct mutex lock;
	struct cond changed;
	struct list queue;					 /* lock */
	const struct cache_image *busy[ENGINE_BACK_THREADS_MAX]; /* lock: a call of it is out */
	unsigned int nr_started;				 /* lock */
	uint64_t nr_ended, nr_ended_before; /* lock: calls; when it was looked last */
	bool is_ending;			    /* lock */
};

struct engine {
	struct engine_conf conf;       /* const after start */
	_Atomic bool is_ending;	       /* threads end as soon as nothing is in flight */
	_Atomic bool is_abandoned;     /* and nothing more reaches the core */
	_Atomic bool has_failed;       /* the cache device, which has been said */
	_Atomic bool is_left;	       /* to a thread that hangs */
	_Atomic unsigned int on_files; /* requests and calls on backing files that are out */
	struct mutex lock;
	struct cond changed;
	unsigned int nr_loops; /* threads that have a loop; const after start */
	unsigned int nr_ready; /* lock: those that run */
	int start_error;       /* lock: first failure of a thread to start */
	int uring_error;       /* lock */
	bool is_shut_down;     /* lock */
	struct action shutdown;
	struct engine_log log;
	struct engine_io io;
	struct engine_back back;
};

/* ---- engine.c ---- */

/* Which engine and part does this thread belong to? NULL: none. */
extern _Thread_local const void *engine_thread_part;

/* The device may have been given up just now. */
void engine_tell_lost(struct engine *e);
/* What this thread is lent to; done: bits of the action types that it has done. */
struct engine_lent {
	struct engine *engine;
	unsigned int done;
};
extern _Thread_local struct engine_lent engine_lent;

/* Tells the core, and carries what it answers. Any thread, no lock held. */
void engine_complete(struct engine *e, struct action *a, int result);
/* The action goes out to a backing file, or has come back from there. */
void engine_flight(struct engine *e, const struct action *a, bool begins);
/* A thread of the engine says that it runs, or why it cannot. */
void engine_thread_ready(struct engine *e, const void *part, struct loop *loop, int err);
/* With all signals blocked. 0 or -errno. */
int engine_thread_create(pthread_t *thread, const char *name, void *(*fn)(void *),
			 void *arg) must_check;

/* ---- engine_lane.c ---- */

int engine_lane_init(struct engine_lane *lane, struct engine *e, unsigned int nr_slots) must_check;
void engine_lane_free(struct engine_lane *lane);
/* Queues the action; engine_lane_start() starts as many as there are slots. */
void engine_lane_add(struct engine_lane *lane, struct action *a);
void engine_lane_start(struct engine_lane *lane);
/* Starts what is due to be tried again; returns when the next one is, UINT64_MAX: there is none. */
uint64_t engine_lane_again(struct engine_lane *lane, uint64_t now);
/* When the oldest of those that are under way was started, UINT64_MAX: none is. Any thread. */
uint64_t engine_lane_oldest(struct engine_lane *lane);
/* The same of all requests to the cache device. */
uint64_t engine_device_oldest(struct engine *e);

/* ---- the parts ---- */

void engine_log_init(struct engine *e);
void engine_io_init(struct engine *e);
void engine_back_init(struct engine *e);
/* 0 or -errno. Whatever they return, join and free follow. */
int engine_log_start(struct engine *e) must_check;
int engine_io_start(struct engine *e) must_check;
int engine_back_start(struct engine *e) must_check;
/* To be called about once a second: more threads where all hang. */
void engine_back_relieve(struct engine *e);
/* engine->is_ending is set, and all threads with loops have reported. Waits for the threads. */
void engine_log_join(struct engine *e);
void engine_io_join(struct engine *e);
void engine_back_join(struct engine *e);
/* All threads are joined. */
void engine_log_free(struct engine *e);
void engine_io_free(struct engine *e);
void engine_back_free(struct engine *e);
/* Any thread: take over all of actions. */
void engine_log_post(struct engine *e, struct list *actions);
void engine_io_post(struct engine *e, struct list *actions);
void engine_back_post(struct engine *e, struct list *actions);
/* Lets the committer tell the owners, if this is the log thread and it has more urgent things to
 * do. */
bool engine_log_let_tell(struct engine *e, struct list *requests);
/* Any thread: the core's deadline may have come nearer. */
void engine_io_check_deadline(struct engine *e);

#endif
