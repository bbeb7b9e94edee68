/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the named scenarios share. A scenario arranges one sequence of events by hand (holding back
 * actions of some types, taking requests step by step), crashes, and lets the oracle judge.
 */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "tests/check_main.h"
#include "tests/sim/world.h"

#define BLOCK ((uint64_t)ORACLE_BLOCK)

/* Two images of 16 blocks, files of 16 blocks; 16 segments of 7 data blocks; 4 RAM buffers. */
struct sim_conf scenario_conf(void);
/* A mounted world in which nothing happens by itself: no timers, no migration. NULL:
 * scenario_conf(). */
struct sim_world *scenario_begin(const struct sim_conf *conf);
/* With so many images of so many blocks each. */
struct sim_world *scenario_begin_images(uint32_t nr_images, uint32_t blocks);
/* With images larger than the log: what fills it is not superseded. */
struct sim_world *scenario_begin_large(void);
/* Mounts again what a crash left, and makes it quiet as above. */
void scenario_mount(struct sim_world *w);
/* The power fails, with all that no flush covered, or the daemon dies; and it is mounted again. */
void scenario_crash(struct sim_world *w, bool is_power);
void scenario_quiet(struct sim_world *w);
/* Drains all, shuts down, cuts the power, mounts, judges: what is left of any mistake shows now. */
void scenario_end(struct sim_world *w);

/* Lets everything that is not held happen, for at most so much time (ns). */
void scenario_run(struct sim_world *w, uint64_t ns);
/* Takes a request up to a phase; fails if it does not get there. */
void scenario_take_to(struct sim_world *w, struct sim_request *r, enum sim_phase phase);
/* Has an action of this type been issued and not been answered? */
bool scenario_is_out(const struct sim_world *w, enum action_type type);
/* Holds all actions of a type back, before they are carried out. */
void scenario_hold(struct sim_world *w, enum action_type type);
void scenario_release(struct sim_world *w, enum action_type type);
/* Writes the block once more, whole; returns when it was answered. */
void scenario_write_block(struct sim_world *w, struct sim_image *img, uint64_t block);
/* So many, in order, and syncs the image. */
void scenario_write_blocks(struct sim_world *w, struct sim_image *img, uint64_t first, uint64_t nr);
struct cache_image_info scenario_info(struct sim_world *w, const struct sim_image *img);
/* Overwrites blocks of the image, whole, synced, until the log has gone round. */
void scenario_wrap(struct sim_world *w, struct sim_image *img, uint64_t first, uint64_t blocks);

#define SCENARIO_SUITE(name, ...)                     \
	static Suite *make_suite(void)                \
	{                                             \
		Suite *suite = suite_create(name);    \
		CHECK_CASE(suite, name, __VA_ARGS__); \
		return suite;                         \
	}                                             \
	CHECK_MAIN(make_suite)

#endif
