/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What files must hold, noted in shared memory while their daemon is killed: `now` by the last
 * acknowledged operation, `next` by the one under way. After the kill what was acknowledged must be
 * there, synced or not; the one under way may have happened or not, and a write byte by byte.
 */
#ifndef TESTS_FILEMODEL_H
#define TESTS_FILEMODEL_H

#include <stdbool.h>
#include <stdint.h>

#define SLOTS 5
#define SIZE_MAX_ (192u << 10)

/* A file, or a name that none has. */
struct slot {
	bool exists;
	uint32_t size;
	uint8_t data[SIZE_MAX_]; /* zero behind size, while it exists */
};

/* The files of one thread, which nobody else changes. */
struct model {
	struct slot now[SLOTS], next[2];
	int under_way; /* number of slots, 0: nothing */
	int slot[2];   /* which */
	bool is_write; /* byte by byte */
	unsigned long ops;
	/* for whoever waits in vain */
	const char *doing;
	int doing_slot;
	uint64_t doing_since;
};

static inline uint32_t below(uint64_t *random, uint32_t n)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*random >> 33) % n);
}

/* The file's name; room for 16. */
void name_of(int slot, char *name);

/* An operation on one slot: change what is returned, announce it with model_under_way(), do it. */
struct slot *model_begin(struct model *m, int slot);
/* One on two. The slots must differ. */
void model_begin_both(struct model *m, int a, int b);
void model_under_way(struct model *m, int slots, bool is_write);
void model_acknowledged(struct model *m);

/* What can be changed in a slot, with random numbers from *random. */
void model_fill(struct slot *s, uint64_t *random, uint32_t off, uint32_t len);
void model_truncate(struct slot *s, uint32_t size);
/* Zeros; the size stays. */
void model_zero(struct slot *s, uint32_t off, uint32_t len);

/*
 * Compares what was found (SLOTS of them) after a kill, and takes it over. Returns -1, or the slot
 * that is not what it should be, of which *want is then what was acknowledged.
 */
int model_settle(struct model *m, const struct slot *is, const struct slot **want);
/* The first byte at which two differ. */
uint32_t slot_differs_at(const struct slot *a, const struct slot *b);

#endif
