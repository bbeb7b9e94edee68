/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workload of the power cut test did: every operation on every image, in a file that lies
 * elsewhere and is shared by all who map it.
 *
 * The operations of an image are numbered from 1, in their order: one thread writes to an image,
 * and begins none before the last one has returned. A write's number is the version of the sectors
 * it wrote, and stands in them together with image and sector, with a filling that follows from all
 * these and the seed. Version 0 is zeros. issued and answered are from one counter for all images.
 */
#ifndef TESTS_POWERCUT_JOURNAL_H
#define TESTS_POWERCUT_JOURNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

#define SECTOR 512u
#define BLOCK 4096u
#define SECTORS_A_BLOCK 8u
#define IMAGE_SECTORS 8192u /* at the most: 4 MiB */
#define IMAGES 192u
#define NR_RAW 6u      /* images 0 to 5: written for the whole time, renamed now and then */
#define FIRST_QUIET 4u /* of these: opened now and then, mostly not synced, closed again */
#define FIRST_DB 6u    /* a file of the filesystem on an image */
#define FIRST_SHORT 7u
#define NR_SLOTS 3u /* names that files which live shortly take over from each other */
#define OPS 6000u
#define VERSION_BAD UINT32_MAX
#define HOME_NONE 0u	  /* no cache, perhaps */
#define HOME_UNKNOWN 255u /* a cache, on the way from one to another */

enum pc_kind {
	PC_CREATE = 1,
	PC_WRITE,
	PC_PUNCH,
	PC_TRUNCATE
};

struct pc_op {
	uint64_t issued, answered; /* answered 0: it was not */
	uint32_t kind, first, count;
	uint32_t size; /* of the file, after it, in sectors */
	/* With moves (homes.h): the cache it went to, and whether it went past all, perhaps. */
	uint16_t home, is_loose;
};

struct pc_stay {
	uint16_t home;
	uint16_t loose; /* so often has it begun to be without a cache, perhaps */
	uint32_t nr;
};

struct pc_image {
	_Atomic uint32_t nr_ops; /* issued */
	_Atomic uint32_t nr_answered;
	_Atomic struct pc_stay stay;
	_Atomic uint32_t gen;	/* so many names it has had, or is just getting */
	uint32_t is_gone;	/* unlinked, or its name was taken */
	uint32_t first_version; /* the operation n wrote version first_version + n */
	uint32_t base_size;	/* in sectors */
	uint32_t base_exists, base_gen;
	uint32_t base[IMAGE_SECTORS]; /* the versions before the first operation */
	struct pc_op ops[OPS];	      /* operation n is at n - 1 */
};

struct pc_journal {
	uint64_t magic, seed;
	uint64_t has_moves;
	_Atomic uint64_t clock;
	_Atomic uint32_t next_short, nr_moves;
	struct pc_image image[IMAGES];
};

/* Ends the program with a message and status 2. */
noreturn_ void pc_die(const char *what, const char *why);
struct pc_journal *pc_journal_map(const char *path, bool is_new);
void pc_fill(const struct pc_journal *j, uint8_t *sector, uint32_t image, uint32_t number,
	     uint32_t version);
/* 0, VERSION_BAD, or the version of what is a whole sector of this image for this place. */
uint32_t pc_version(const struct pc_journal *j, const uint8_t *sector, uint32_t image,
		    uint32_t number);
/* The image that the sector says it belongs to, or IMAGES. */
uint32_t pc_owner(const struct pc_journal *j, const uint8_t *sector);
/* What a wrong sector holds, for a message. */
void pc_describe(const struct pc_journal *j, const uint8_t *sector, char *text, size_t size);
/* The path that the image has after gen renames, below the root that it is below. */
void pc_name(uint32_t image, uint32_t gen, char *name, size_t size);

#endif
