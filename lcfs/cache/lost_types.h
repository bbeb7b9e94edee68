/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the core keeps of a cache device that fails (retry.c) or is given up (lost.c). */
#ifndef LCFS_CACHE_LOST_TYPES_H
#define LCFS_CACHE_LOST_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "lcfs/cache/action.h"

struct trouble {
	uint32_t errors; /* rounds of writes and flushes that failed, since a flush succeeded */
	int error;	 /* errno of the last one */
	uint64_t until;	 /* nothing is written or flushed before; 0: none */
	bool has_super;	 /* what the super block's phase writes is to be written again */
};

/* Of an image, once the cache device is given up (lost.c). */
struct lost_image {
	bool has_left;	   /* its file says so, durably (F3) */
	bool is_open;	   /* it may be written to past the log */
	bool is_wanted;	   /* somebody wants that */
	bool is_read_only; /* its file takes no mark */
	bool is_seen;	   /* in this look: something of it can be saved */
	bool is_saved;	   /* nothing can be saved any more: what is dirty is lost */
	bool is_syncing;
	int error;		 /* -errno of a sync, that is still to be told */
	uint64_t written;	 /* lost.seq of the last change past the log */
	uint64_t synced, issued; /* of the last sync that succeeded, and the one under way */
	uint64_t again_ns;	 /* no sync before */
	struct action sync;
};

struct lost {
	uint8_t *bad; /* a bit a cache block that cannot be read; NULL: none can */
	bool is_unreadable, is_hung, is_ending;
	bool has_news;	      /* images that are saved since the last lost_tell_saved() */
	uint32_t read_errors; /* in a row */
	uint32_t looks;	      /* further ones at what could not be read */
	uint64_t look_ns;     /* when the next one begins; 0: none is waited for */
	uint64_t seq;	      /* syncs and straight writes so far */
	struct list syncs;    /* cache_sync.wait */
};

#endif
