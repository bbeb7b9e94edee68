/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world of the simulation: one core on a fake device and a fake backing store, with the oracle
 * that knows what it must show, in virtual time, in one thread.
 *
 * Nothing happens by itself. Every step that the core asks for stands in a queue of actions, every
 * request in a queue of requests, and someone (turn.c by chance, a scenario by hand) picks what
 * happens next. So every interleaving of the core's steps, and a crash between any two, can be had.
 *
 * All chance comes from world.rng. Whatever goes wrong ends in sim_fail(), which prints the last
 * steps and exits with 1.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/list.h"
#include "lcfs/cache/cache.h"
#include "tests/fake/rng.h"
#include "tests/fake/simdev.h"
#include "tests/fake/simstore.h"
#include "tests/sim/oracle.h"
#include "tests/sim/trace.h"

struct sim_world;

#define SIM_IMAGES_MAX 6
#define SIM_ACTION_TYPES (ACTION_DONE + 1)
#define SIM_MS 1000000ull /* ns */
#define SIM_LEASE_NS 10000000000ll
#define SIM_LEASE_MARGIN_NS 3000000000ll

struct sim_conf {
	uint64_t seed;
	uint32_t segment_order, nr_segments;
	uint32_t nr_images, image_blocks; /* each image can have so many blocks of 4 KiB */
	uint64_t image_bytes;		  /* size of the plain files at first; 0: any */
	struct cache_conf cache;
};

/* A file of the backing directory, and what is known of it on each side. */
struct sim_image {
	uint32_t index;
	struct simfile *file;
	uint64_t ino; /* of the file */
	struct oracle_image *model;
	struct cache_image *cached;   /* the core's; NULL while there is no cache */
	uint32_t nr_requests;	      /* under way */
	bool is_busy;		      /* an unlink or rename is under way: no other requests */
	bool is_conflict, is_missing; /* what ACTION_BACK_CHECK shall find */
	bool is_refusing;	      /* its backing file takes nothing: ENOSPC */
	bool is_hanging;	      /* it answers nothing, */
	enum action_type hangs_in;    /* or (not ENCODE) nothing of that type */
	bool may_fail;		      /* errors are excused */
	bool had_conflict;	      /* its state may be found in the log again */
	bool is_edited;		      /* by somebody else, while it was clean */
	bool takes_no_mark;	      /* of an image that has left the cache (F3) */
	bool has_left;		      /* that mark is on the file, */
	uint64_t left_lsn;	      /* with this LSN */
	bool is_stale;		      /* the core could not take over the edit yet */
	uint64_t checked, checked_ns; /* monitor: what its last ACTION_BACK_CHECK found, and when */
	uint32_t nr_checks;	      /* since anything happened */
};

enum sim_kind {
	SIM_WRITE,
	SIM_READ,
	SIM_SYNC,
	SIM_OP
};
enum sim_phase {
	SIM_READY,  /* its next step may be called */
	SIM_COPY,   /* the core waits for the copy */
	SIM_COPIED, /* the core waits for publish or end */
	SIM_PARKED, /* it waits for ACTION_RESUME or ACTION_DONE */
	SIM_ENDED,
};

struct sim_request {
	struct list node; /* sim_world.requests, then ended */
	enum sim_kind kind;
	enum sim_phase phase;
	struct sim_image *img; /* NULL: sync of all, names */
	uint64_t id, turn;     /* number, and when it began */
	uint64_t since;	       /* oracle's clock when it began */
	bool may_wait, is_started;
	bool has_named;	    /* the names it is about are durable, and the core was told */
	uint64_t named_ino; /* those of files with lower numbers */
	bool is_kept;  /* a scenario waits for it and frees it */
	bool is_probe; /* a read that is not judged by itself */
	bool is_shrink;
	uint8_t *data;
	uint64_t len;
	char path[2][64];
	struct oracle_event *event;
	int result;
	void (*then)(struct sim_world *w, struct sim_request *r); /* after it has ended; or NULL */
	union {
		struct cache_write write;
		struct cache_read read;
		struct cache_sync sync;
		struct cache_op op;
	} u;
};

/* An action that the core has issued and has not been told about. */
struct sim_action {
	struct action *action;
	uint64_t id, turn;
	bool is_carried; /* the result stands, the core has not been told */
	int result;
	struct simdev_write *write;
	struct simfile *file;
	struct simchange *change;
	uint64_t ticket; /* of a flush or sync */
};

/* What a power cut does to the pool. */
enum sim_pool_fate {
	SIM_POOL_ANY,
	SIM_POOL_GONE,
	SIM_POOL_STALE
};

enum sim_crash {
	SIM_POWER_CUT,
	SIM_DAEMON_DEATH
};

struct sim_world {
	struct sim_conf conf;
	struct rng rng;
	struct trace *trace;
	struct simdev *dev;
	struct simstore *store;
	struct oracle *oracle;
	struct cache *cache; /* NULL while there is none */

	enum sim_pool_fate pool_fate;
	uint8_t *pool, *pool_at_death;
	uint64_t pool_bytes;
	uint8_t boot_id[FORMAT_UUID_BYTES];

	uint64_t now;	      /* ns, monotonic clock of this boot */
	int64_t boot_real_ns; /* wall clock at now = 0 */
	uint64_t turn, cycle, next_id;

	struct sim_image image[SIM_IMAGES_MAX];
	uint64_t next_uid;
	struct list requests;
	struct list ended; /* and kept, until they are freed */
	uint32_t nr_requests;
	struct sim_action **action; /* in order of issue */
	uint32_t nr_actions, room_actions;

	/* By scenarios: actions of this type are not carried out, or the core is not told. */
	bool hold_carry[SIM_ACTION_TYPES], hold_return[SIM_ACTION_TYPES];
	/* Carry out a write in parts, fail actions: for the random driver. */
	bool can_tear;
	int (*fault)(struct sim_world *w, const struct action *a); /* 0 or -errno for it; or NULL */

	bool has_fault; /* one that was random; no flush has succeeded since */
	bool is_faulty; /* the device has failed: errors are excused until the next mount */
	bool is_ending; /* cache_shutdown() is under way */
	bool has_ended; /* and done */
	struct action end;
	struct cache_sync lease_sync;
	int64_t lease_ns, lease_wanted_ns; /* wall clock */
	bool is_lease_asked;
	uint64_t judged;		     /* hash of what the last judgement saw */
	enum oracle_loss loss;		     /* what the crashes since the last judgement excuse */
	struct cache_recovery_report report; /* of the last cache_open() */
	uint64_t counts[SIM_ACTION_TYPES], crashes, mounts, reads_checked;
};

/* ---- world.c: life ---- */

/* Formats a device, makes the files; nothing is mounted. */
struct sim_world *sim_new(const struct sim_conf *conf);
void sim_free(struct sim_world *w);
/* Prints what and where and the last steps, exits. */
void sim_fail(struct sim_world *w, const char *fmt, ...) noreturn_ printf_like(2, 3);
void sim_check(struct sim_world *w, bool is_good);    /* an oracle's verdict */
void sim_check_core(struct sim_world *w);	      /* cache_check() */
void sim_next_turn(struct sim_world *w);	      /* one ns: no two changes at the same time */
void sim_pass_time(struct sim_world *w, uint64_t ns); /* and calls cache_tick() */
/* A new plain file in place of what the image was (or was not). */
void sim_image_create(struct sim_world *w, struct sim_image *img, uint64_t size);
/* Tells the core of the file. */
void sim_image_introduce(struct sim_world *w, struct sim_image *img);
/* It has just been created through the cache: its name is not durable. Before its first write. */
void sim_image_is_new(struct sim_world *w, struct sim_image *img);

/* ---- carry.c: actions ---- */

/* Takes over all that an entry point has put in its outbox. */
void sim_take(struct sim_world *w, struct outbox *ob);
/* Does it (rng: perhaps only a part of a write), or tells the core. */
void sim_carry(struct sim_world *w, struct sim_action *sa, struct rng *rng);
void sim_return(struct sim_world *w, struct sim_action *sa);
bool sim_may_carry(const struct sim_world *w, const struct sim_action *sa);
bool sim_needs_lease(const struct sim_world *w, const struct sim_action *sa);
/* Asks the core for a new lease if an action waits for one; false: nothing to do. */
bool sim_renew_lease(struct sim_world *w);
bool sim_may_return(const struct sim_world *w, const struct sim_action *sa);
void sim_forget_actions(struct sim_world *w);
uint32_t sim_count_actions(const struct sim_world *w, enum action_type type);
const char *sim_action_text(enum action_type type);

/* ---- monitor.c: rules that can be seen from each action ---- */

void sim_monitor(struct sim_world *w, const struct sim_action *sa);
/* Of a change of a backing file, when it is carried out. */
void sim_monitor_change(struct sim_world *w, const struct sim_action *sa);

/* ---- request.c ---- */

struct sim_request *sim_start_write(struct sim_world *w, struct sim_image *img, uint64_t off,
				    uint32_t len, bool sync);
struct sim_request *sim_start_read(struct sim_world *w, struct sim_image *img, uint64_t block,
				   uint32_t nr_blocks);
struct sim_request *sim_start_sync(struct sim_world *w, struct sim_image *img);
struct sim_request *sim_start_truncate(struct sim_world *w, struct sim_image *img, uint64_t size);
struct sim_request *sim_start_punch(struct sim_world *w, struct sim_image *img, uint64_t off,
				    uint64_t len);
struct sim_request *sim_start_clean(struct sim_world *w, struct sim_image *img);
struct sim_request *sim_start_unlink(struct sim_world *w, struct sim_image *img);
struct sim_request *sim_start_rename(struct sim_world *w, struct sim_image *img);
struct sim_request *sim_start_op(struct sim_world *w, struct sim_image *img,
				 enum cache_op_type type);
/* Another pair of names for a rename that has not begun. */
void sim_set_rename(struct sim_request *r, const char *from, const char *to);
/* One step of it; not when it is parked. */
void sim_advance(struct sim_world *w, struct sim_request *r);
bool sim_can_advance(const struct sim_request *r);
struct sim_request *sim_find_request(struct sim_world *w, const struct action *a);
void sim_request_ended(struct sim_world *w, struct sim_request *r);
void sim_forget_requests(struct sim_world *w);
void sim_free_request(struct sim_world *w, struct sim_request *r);

/* ---- drive.c: what a scenario needs ---- */

/* One thing that can happen happens, without new requests: false if nothing can but time passing.
 */
bool sim_calm_turn(struct sim_world *w);
/* As that; time passes where nothing else can. Fails the run when nothing ever will. */
void sim_calm_turn_or_tick(struct sim_world *w);
/* Until it has ended: its result; it is freed. */
int sim_wait(struct sim_world *w, struct sim_request *r);
/* Until no request and no action is left (time does not pass). */
void sim_settle_down(struct sim_world *w);
/* Start and wait; fails the run on errors. */
void sim_do_write(struct sim_world *w, struct sim_image *img, uint64_t off, uint32_t len);
void sim_do_sync(struct sim_world *w, struct sim_image *img);
void sim_do_read(struct sim_world *w, struct sim_image *img);
void sim_do_clean(struct sim_world *w, struct sim_image *img);
/* The layer above finds that the file is not what was recorded. */
int sim_try_refresh(struct sim_world *w, struct sim_image *img) must_check;
void sim_refresh(struct sim_world *w, struct sim_image *img); /* until it can be */
void sim_knob(struct sim_world *w, enum cache_knob k, uint64_t value);

/* ---- crash.c ---- */

/* The plain file of an image that goes on without its cache, which had all that can be saved. */
void sim_check_left(struct sim_world *w, const struct sim_image *img);
void sim_power_cut(struct sim_world *w, enum cut_policy policy);
/* is_landed: all writes under way land, else any part of them. */
void sim_daemon_death(struct sim_world *w, bool is_landed);
void sim_shutdown(struct sim_world *w);
/* cache_open() that dies in its crash_in-th write or flush (0: never): what it returned. */
int sim_open(struct sim_world *w, uint64_t crash_in);
/* Gives the core its files, as the layer above does after cache_open(). */
void sim_attach(struct sim_world *w);
/* All content and sizes against the oracle; settle: they are the base from now on. */
void sim_judge(struct sim_world *w, bool settle);
/* sim_open(), attach, judge. */
void sim_mount(struct sim_world *w);
/* Destroys some dirty block on the device, if there is any. What is under way ends before. */
void sim_rot(struct sim_world *w);
/* This one, which must be dirty and on the device: where it is. */
uint64_t sim_rot_block(struct sim_world *w, struct sim_image *img, uint64_t block);
/* As sim_mount(), after a death or cut at each single operation of recovery. Returns how many there
 * are. */
uint32_t sim_mount_everywhere(struct sim_world *w, enum sim_crash kind, bool must_be_equal);

#endif
