/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle: what each byte of each image may be.
 *
 * It knows nothing of logs. It is told when each request starts and how it ends, and keeps for each
 * 4 KiB block the *pieces* that requests put there: which bytes, from when to when. Pieces are
 * ordered by time alone: a < b if a was answered (or seen by a read) before b was started; else
 * they are concurrent and either order is right, but only one: what a read has shown is remembered.
 *
 * A piece *must* be there if it was answered before some moment: for a read, the moment it began;
 * after a daemon's death, the end of time; after a power cut, the start of the newest request of
 * which anything has survived or must have, on any image (that is what "a prefix of acknowledged
 * order" means). A byte may show piece a only if no piece b that covers it, with a < b, must be
 * there. What is visible of one piece of a write makes the whole of it visible in its block: no
 * block mixes versions. (Operations that zero bytes take effect sector by sector while they run,
 * but after a crash they are there as a whole or not at all.) A write that goes straight to the
 * plain file, as there is no log any more, shows as that file does: while it runs, or if it was cut
 * off, sector by sector, and of a sector that the end of the image cuts the part before the end;
 * it is whole for each read that begins after its answer.
 *
 * A block may get *lost*: rot has destroyed what was in it. From then on reads of it may fail, and
 * must, until something has been put there; and they must not when all of it was written again
 * before they began, or has survived. Where only a part of it was, the rest may show anything.
 *
 * Content: byte = pattern(image, offset) shifted by the version of the block, never 0, so that each
 * byte alone tells its version (of 255 neighbours), and no two places look alike.
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/list.h"

#define ORACLE_NEVER UINT64_MAX
#define ORACLE_BLOCK 4096u
#define ORACLE_SECTORS 8u
#define ORACLE_PIECES_MAX 64
#define ORACLE_TEXT 400

enum oracle_kind {
	ORACLE_WRITE,
	ORACLE_TRUNCATE,
	ORACLE_PUNCH
};

struct oracle_event {
	struct list node; /* oracle_image.events, in order of start */
	enum oracle_kind kind;
	uint64_t off, len;   /* bytes; TRUNCATE: off is the size */
	uint64_t start, end; /* oracle.clock; end: ORACLE_NEVER while it runs */
	uint64_t ok_end;     /* byte up to which it succeeded */
	bool is_ok;	     /* as far as ok_end */
	bool is_durable;     /* a power cut may not undo it */
	bool is_base;	     /* it was there before all else, past the log */
	bool is_nothing;     /* there was nothing to be done: it has no place in the log */
	bool is_vague;	     /* it failed: it may show, or not, for ever */
	bool is_straight;    /* a write past the log: a plain file's, sector by sector */
	bool is_observed;    /* while recovery is judged */
};

struct oracle_piece {
	struct oracle_event *event;
	uint16_t lo, hi;	       /* bytes in the block */
	uint32_t version;	       /* 0: zeros */
	uint64_t seen[ORACLE_SECTORS]; /* when a read showed it first, in each sector */
	struct oracle_piece *newer;    /* known to come after it, though concurrent; or NULL */
	bool is_observed;	       /* while recovery is judged */
};

struct oracle_block {
	struct oracle_piece **piece; /* in order of start */
	uint32_t nr, room;
	uint32_t version;
	uint64_t lost;	 /* when; 0: it is not */
	bool is_unknown; /* a part of it was written since, and that was the last judgement */
	bool is_left_out; /* lost, and not judged by the judgement under way */
};

struct oracle_image {
	struct oracle *oracle;
	uint32_t index;	    /* for messages */
	uint32_t nr_blocks; /* that can ever hold data */
	uint64_t base_size; /* before all events */
	uint8_t *pattern;
	struct oracle_block *block;
	struct list events;
	struct list node;
	uint32_t nr_lost;
};

struct oracle {
	uint64_t clock;
	struct list images;
	struct oracle_event base; /* what has been there since the last recovery */
	char text[ORACLE_TEXT];	  /* what is wrong, after a check returned false */
};

struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);
/* The next moment. */
uint64_t oracle_now(struct oracle *o);

/* A plain file with content of version 1 in its first `size` bytes; uid: no two images ever have
 * the same. */
struct oracle_image *oracle_image_new(struct oracle *o, uint32_t index, uint64_t uid,
				      uint32_t nr_blocks, uint64_t size);
void oracle_image_free(struct oracle_image *img);
/* The first content. */
void oracle_image_initial(const struct oracle_image *img, uint8_t *buf, uint64_t len);
/* May a request touch these bytes, or do their blocks have too many versions already? */
bool oracle_has_room(const struct oracle_image *img, uint64_t off, uint64_t len);

/* A request starts. Write: data gets the bytes to write. The event lives until it is forgotten by
 * recovery. */
struct oracle_event *oracle_write(struct oracle_image *img, uint64_t off, uint64_t len,
				  uint8_t *data);
struct oracle_event *oracle_truncate(struct oracle_image *img, uint64_t size);
struct oracle_event *oracle_punch(struct oracle_image *img, uint64_t off, uint64_t len);
/* It was answered; ok_bytes of it succeeded (operations: 0 or all). */
void oracle_end(struct oracle_image *img, struct oracle_event *e, uint64_t ok_bytes,
		bool is_durable);
/* A write goes on, or starts, straight to the plain file. */
void oracle_straight(struct oracle_event *e);
/* A sync that began at `since` has succeeded: img NULL: of all. */
void oracle_synced(struct oracle *o, struct oracle_image *img, uint64_t since);
/* Somebody wrote the plain file, past the cache; nothing else was going on. */
void oracle_edit(struct oracle_image *img, uint64_t off, uint64_t len, uint8_t *data);
/* The block's only copy is destroyed; nothing is under way. */
void oracle_lose(struct oracle_image *img, uint64_t block);
/* May a read of these blocks that began at `since` fail? */
bool oracle_may_fail(const struct oracle_image *img, uint64_t block, uint32_t nr_blocks,
		     uint64_t since);
/* All that runs has been cut off. */
void oracle_crash(struct oracle *o);

/* ---- checks: true, or false with o->text ---- */

/* What a read of whole blocks that began at `since` has shown. */
bool oracle_check_read(struct oracle_image *img, uint64_t block, uint32_t nr_blocks,
		       const uint8_t *data, uint64_t since) must_check;
/* A plain file after a drain: as a read, without consequences. data has room to whole blocks. */
bool oracle_check_file(struct oracle_image *img, const uint8_t *data, uint64_t since) must_check;
/* After one of what was dirty at `since` alone: not of blocks that were written to then or since.
 */
bool oracle_check_drained(struct oracle_image *img, const uint8_t *data, uint64_t since) must_check;
/* The same of one that goes on without its cache: where blocks are lost it has what it had. */
bool oracle_check_left(struct oracle_image *img, const uint8_t *data, uint64_t since) must_check;
/* May the size be this, at or after `since`? */
bool oracle_check_size(struct oracle_image *img, uint64_t size, uint64_t since) must_check;

struct oracle_recovered {
	struct oracle_image *img;
	const uint8_t *data; /* all its blocks */
	const bool *has_failed; /* each of them: it cannot be read; NULL: none */
	uint64_t size;
};

enum oracle_loss {
	ORACLE_LOSS_NONE,     /* daemon died: all that was answered is there */
	ORACLE_LOSS_UNSYNCED, /* power cut */
};

/*
 * Judges what is there after recovery. Images that are not named are not judged. With `settle` it
 * becomes the new base, from which nothing may ever be lost.
 */
bool oracle_check_recovered(struct oracle *o, const struct oracle_recovered *rec, uint32_t nr,
			    enum oracle_loss loss, bool settle) must_check;

/* ---- shared by the oracle's files ---- */

/* Was anything put into the lost block since; the whole of it? certain: before that moment. */
bool oracle_is_touched(const struct oracle_block *b);
/* Only a part of it: it may be readable, with anything in the rest. */
bool oracle_is_partly_known(const struct oracle_block *b);
bool oracle_is_rewritten(const struct oracle_block *b, uint64_t block, uint64_t certain);
void oracle_found(struct oracle_image *img, uint64_t block);

/* Is a before b in every history, as seen in a sector of their block? */
bool oracle_is_before(const struct oracle_piece *a, const struct oracle_piece *b, uint32_t sector);
/* When it was first certain that this sector of the piece is there. */
uint64_t oracle_certain_since(uint64_t block, const struct oracle_piece *p, uint32_t sector);
/* Content of [lo, hi) of a block in a version, 0 = zeros. */
void oracle_content(const struct oracle_image *img, uint64_t block, uint32_t lo, uint32_t hi,
		    uint32_t version, uint8_t *buf);
/* Where do these bytes come from? Only for messages. */
void oracle_find_source(struct oracle *o, const uint8_t *bytes, uint32_t lo, uint32_t hi, char *buf,
			size_t size);
/* May the size be this when what was answered before the moment `before` must be there (in
 * recovery: and what is durable)? */
bool oracle_size_is_possible(const struct oracle_image *img, uint64_t size, uint64_t before,
			     bool is_recovery);
/* One new base piece instead of all pieces of a block; nr pieces of {lo, hi, version}. */
struct oracle_span {
	uint16_t lo, hi;
	uint32_t version;
};
void oracle_settle_block(struct oracle_image *img, uint64_t block, const struct oracle_span *span,
			 uint32_t nr);
void oracle_settle_image(struct oracle_image *img, uint64_t size);

#endif
