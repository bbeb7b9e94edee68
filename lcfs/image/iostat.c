// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counting of requests. It costs one clock reading, at the end, and a few additions to memory of
 * the thread's own but for the image's two.
 */
#include "lcfs/image/iostat.h"

#include <stdlib.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/probe.h"
#include "lcfs/image/image_private.h"

/* Of caches, and 0; what is beyond shares the last. */
#define IOSTAT_IDS (PRIVDIR_CACHES_MAX + 1u)

static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

struct iostat *iostat_new(void)
{
	return calloc(IOSTAT_IDS, sizeof(struct iostat));
}

struct iostat *iostat_of(struct imagedir *d, uint32_t cache_id)
{
	return &d->iostat[min(cache_id, IOSTAT_IDS - 1)];
}

void iostat_count(const struct image_io *io)
{
	struct image_iostat *of_image = &io->img->iostat;
	struct iostat *s = io->stat;
	unsigned int mine = histogram_shard();
	uint64_t ns = clock_mono_ns() - io->started_ns;

	PROBE5(request, io->kind, image_id(io->img), io->off, io->result, ns);
	histogram_add(&s->time[io->kind].shard[mine], ns);
	add(&of_image->requests[io->kind], 1);
	if (io->result > 0) {
		add(&s->shard[mine].bytes[io->kind], (uint64_t)io->result);
		add(&of_image->bytes[io->kind], (uint64_t)io->result);
	} else if (io->result < 0) {
		add(&s->shard[mine].errors[io->kind], 1);
	}
}

void image_counts(const struct image *img, enum image_io_kind kind, struct image_io_counts *n)
{
	n->requests = get(&img->iostat.requests[kind]);
	n->bytes = get(&img->iostat.bytes[kind]);
	n->errors = 0;
}

bool imagedir_latency(struct imagedir *d, uint32_t cache_id, enum image_io_kind kind,
		      struct histogram_view *v, struct image_io_counts *n)
{
	const struct iostat *s;

	*n = (struct image_io_counts){ 0 };
	if (cache_id >= IOSTAT_IDS)
		return false;
	s = iostat_of(d, cache_id);
	histogram_set_look(&s->time[kind], v);
	n->requests = v->total;
	for (unsigned int i = 0; i < HISTOGRAM_SHARDS; i++) {
		n->bytes += get(&s->shard[i].bytes[kind]);
		n->errors += get(&s->shard[i].errors[kind]);
	}
	return true;
}
