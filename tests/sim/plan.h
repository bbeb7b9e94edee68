/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a random run is like: its geometry (from the seed, for its whole life) and its mood (a new
 * one each cycle). A run in which everything is equally likely never comes near the corners: so
 * each mood makes some things frequent and others rare or impossible.
 */
#ifndef TESTS_SIM_PLAN_H
#define TESTS_SIM_PLAN_H

#include "tests/sim/world.h"

enum plan_kind {
	PLAN_WRITE,
	PLAN_READ,
	PLAN_SYNC,
	PLAN_TRUNCATE,
	PLAN_PUNCH,
	PLAN_CLEAN,
	PLAN_RENAME,
	PLAN_UNLINK,
	PLAN_KNOB,
	PLAN_EDIT,
	PLAN_CONFLICT,
	PLAN_REFUSE,
	NR_PLAN_KINDS
};

struct plan {
	uint32_t kind[NR_PLAN_KINDS];	       /* how often each request, in parts of their sum */
	uint32_t start, advance, act, tick;    /* how often each sort of turn */
	uint32_t reluctance[SIM_ACTION_TYPES]; /* percent of picks that are passed over */
	uint32_t max_requests;
	uint32_t max_blocks;   /* of a write */
	uint32_t sync_percent; /* of writes */
	uint32_t unaligned_percent,
		sector_percent; /* of writes: any bytes, any sectors; the rest whole blocks */
	uint32_t hot_blocks;	/* of each image, that most writes go to */
	uint32_t death_percent, shutdown_percent; /* of the ends of cycles */
	uint32_t rot_percent;			  /* of mounts: a block goes bad */
	uint64_t tick_ns;			  /* longest step of time */
	bool can_fault;				  /* the cache device fails once */
	bool is_deciding; /* images get into conflict, and it is decided for the cache (G4) */
};

/* Geometry and sizes from a seed. */
void plan_conf(struct sim_conf *conf, uint64_t seed);
/* A new mood. */
void plan_mood(struct plan *p, const struct sim_conf *conf, struct rng *rng);

struct plan_run {
	uint32_t cycles, turns; /* turns: about so many a cycle */
	bool can_fault;
};

/* The whole life of one world: cycles of turns, crash, recovery, judgement; in the end drain,
 * shutdown, a last look. Returns the number of crashes. */
uint64_t plan_run(const struct sim_conf *conf, const struct plan_run *run);

#endif
