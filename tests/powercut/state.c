// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the files that a power cut would have left, from a trace of blockfile.
 *
 *	state [-b BASE] [-p DIR] [-w NAME] TRACE SEED INDEX COUNT DIR MARKS
 *	state TRACE cut DIR MARKS
 *
 * The COUNT states of a seed are spread over the trace, from its mark "start" on; this makes the
 * one of INDEX. The files come to DIR, the marks so far to MARKS; a line says where the cut is.
 * Files were empty when the trace began, or as they are in the directory BASE. -p: what is certain
 * stays in that directory for the next call, which is faster then if its INDEX is not lower. -w:
 * writes to the file NAME are torn in pieces of 4096 bytes only; ext4 does not survive a torn super
 * block of its own. The state of "cut" is that at the mark "cut", with nothing but what is certain.
 *
 * A cut is an instant: just before the end of a sync, just after it, or anywhere; where there are
 * marks "M" of moves that have ended, one of two is of a sync near such a mark. Of each file
 * there is for certain what was answered before a sync was sent that has succeeded by then; the
 * rest, and what is in flight, is kept, dropped or torn by a policy of powercut.h, in pieces of 512
 * or of 4096 bytes, in any order that the times of the requests allow.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "tests/fake/powercut.h"
#include "tests/stand/traceread.h"

#define SECTOR 512u
#define BLOCK_SECTORS 8u

/* A request of which nobody knows what has come of it. */
struct open_request {
	const struct trace_item *item;
	uint64_t key; /* an instant at which it may have happened */
};

struct state {
	struct traceread trace;
	struct rng rng;
	uint64_t cut;
	uint32_t piece; /* sectors */
	const char *whole;
	int fds[TRACE_FILES];
	uint64_t synced[TRACE_FILES]; /* start of the last sync that has succeeded */
	uint64_t done[TRACE_FILES];   /* what ended before that is in the files already */
	struct open_request *open;
	size_t nr_open;
};

static noreturn_ void die(const char *what, const char *why)
{
	fprintf(stderr, "state: %s: %s\n", what, why);
	exit(2);
}

/* ------------------------------------------------------------------ files */

static void copy_file(int from, int to)
{
	static char buf[1 << 18];
	off_t at = 0;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		ssize_t n = pread(from, buf, sizeof(buf), at);

		if (n <= 0 || pwrite(to, buf, (size_t)n, at) != n)
			die("copy", strerror(errno));
		at += n;
	}
}

/* Made empty, unless they are kept. */
static void open_files(struct state *s, const char *dir, const char *base, bool is_kept)
{
	for (uint32_t i = 0; i < s->trace.head.nr_files; i++) {
		char path[4096];
		int from;

		snprintf(path, sizeof(path), "%s/%s", dir, s->trace.head.file[i].name);
		s->fds[i] =
			open(path, O_RDWR | O_CREAT | (is_kept ? 0 : O_TRUNC) | O_CLOEXEC, 0600);
		if (s->fds[i] < 0 || ftruncate(s->fds[i], (off_t)s->trace.head.file[i].bytes) < 0)
			die(path, strerror(errno));
		if (!base)
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, s->trace.head.file[i].name);
		from = open(path, O_RDONLY | O_CLOEXEC);
		if (from < 0)
			die(path, strerror(errno));
		copy_file(from, s->fds[i]);
		close(from);
	}
}

static void apply(const struct state *s, const struct trace_item *item, uint64_t off,
		  uint64_t bytes)
{
	const struct trace_record *r = &item->r;
	bool is_good;

	if (bytes == 0)
		return;
	if (r->kind == TRACE_WRITE)
		is_good = pwrite(s->fds[r->file], item->data + off, bytes,
				 (off_t)(r->offset + off)) == (ssize_t)bytes;
	else
		is_good = fallocate(s->fds[r->file], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				    (off_t)(r->offset + off), (off_t)bytes) == 0;
	if (!is_good)
		die("write", strerror(errno));
}

/* ------------------------------------------------------------------ where the cut is */

static bool is_change(const struct trace_record *r)
{
	return r->kind == TRACE_WRITE || r->kind == TRACE_DISCARD;
}

static bool is_good_sync(const struct trace_record *r)
{
	return r->kind == TRACE_SYNC && !r->error;
}

static bool is_mark(const struct trace_item *item, const char *text)
{
	return item->r.kind == TRACE_MARK && item->r.data_bytes >= strlen(text) &&
	       memcmp(item->data, text, strlen(text)) == 0;
}

/* The first item, where there is no such mark. */
static size_t find_mark(const struct traceread *t, const char *text)
{
	for (size_t i = 0; i < t->nr_items; i++) {
		if (is_mark(&t->items[i], text))
			return i;
	}
	return 0;
}

/* The end of a sync that is so far within all there are from the item first on. */
static uint64_t find_sync(const struct traceread *t, size_t first, double place, size_t more)
{
	size_t n = 0, at;

	for (size_t i = first; i < t->nr_items; i++)
		n += is_good_sync(&t->items[i].r);
	at = (size_t)(place * (double)n) + more;
	for (size_t i = first; i < t->nr_items; i++) {
		if (is_good_sync(&t->items[i].r) && at-- == 0)
			return t->items[i].r.end;
	}
	return t->items[t->nr_items - 1].r.end;
}

/* The mark of the end of a move that is so far within all there are; none: the number of items. */
static size_t find_move(const struct traceread *t, double place)
{
	size_t n = 0, at, i;

	for (i = 0; i < t->nr_items; i++)
		n += is_mark(&t->items[i], "M ");
	at = (size_t)(place * (double)n);
	for (i = 0; i < t->nr_items; i++) {
		if (is_mark(&t->items[i], "M ") && at-- == 0)
			break;
	}
	return i;
}

/* A few syncs before the end of a move, or after it. */
static bool choose_near_move(struct state *s, double place)
{
	const struct traceread *t = &s->trace;
	bool is_before = rng_chance(&s->rng, 1, 2);
	size_t at = find_move(t, place), n = rng_below(&s->rng, 8);

	while (at > 0 && at < t->nr_items && (!is_good_sync(&t->items[at].r) || n-- > 0))
		at = is_before ? at - 1 : at + 1;
	if (at == 0 || at >= t->nr_items)
		return false;
	s->cut = t->items[at].r.end - rng_below(&s->rng, 2);
	return true;
}

static const char *choose_cut(struct state *s, uint64_t index, uint64_t count)
{
	const struct traceread *t = &s->trace;
	size_t first = find_mark(t, "start");
	double place =
		((double)index + (double)rng_below(&s->rng, 1 << 20) / (1 << 20)) / (double)count;
	uint64_t dice = rng_below(&s->rng, 10);

	if (find_move(t, 0) < t->nr_items && dice % 2 == 0 && choose_near_move(s, place))
		return "near a move";
	if (dice < 4) {
		s->cut = find_sync(t, first, place, 0) - 1;
		return "before a sync ends";
	}
	if (dice < 6) {
		s->cut = find_sync(t, first, place, 0);
		return "after a sync";
	}
	s->cut = rng_range(&s->rng, find_sync(t, first, place, 0), find_sync(t, first, place, 1));
	return "anywhere";
}

/* ------------------------------------------------------------------ what is there */

static void find_synced(struct state *s)
{
	for (size_t i = 0; i < s->trace.nr_items; i++) {
		const struct trace_record *r = &s->trace.items[i].r;

		if (is_good_sync(r) && r->end <= s->cut)
			s->synced[r->file] = max(s->synced[r->file], r->start);
	}
}

static bool is_certain(const struct state *s, const struct trace_record *r)
{
	return !r->error && r->end < s->synced[r->file];
}

static void apply_certain(const struct state *s)
{
	for (size_t i = 0; i < s->trace.nr_items; i++) {
		const struct trace_item *item = &s->trace.items[i];

		if (is_change(&item->r) && is_certain(s, &item->r) &&
		    item->r.end >= s->done[item->r.file])
			apply(s, item, 0, item->r.bytes);
	}
}

static void collect_open(struct state *s)
{
	s->open = calloc(s->trace.nr_items, sizeof(*s->open));
	if (!s->open)
		die("memory", "none");
	for (size_t i = 0; i < s->trace.nr_items; i++) {
		const struct trace_item *item = &s->trace.items[i];
		const struct trace_record *r = &item->r;

		if (!is_change(r) || r->start > s->cut || is_certain(s, r))
			continue;
		s->open[s->nr_open++] = (struct open_request){
			.item = item,
			.key = rng_range(&s->rng, r->start, min(r->end, s->cut)),
		};
	}
}

static int compare(const void *left, const void *right)
{
	const struct open_request *a = left, *b = right;

	return a->key < b->key ? -1 : a->key > b->key;
}

static void apply_pieces(const struct state *s, const struct trace_item *item, struct powercut *pc)
{
	uint64_t sectors = div_round_up(item->r.bytes, SECTOR), start = 0;
	bool is_whole = s->whole && strcmp(s->trace.head.file[item->r.file].name, s->whole) == 0;
	uint32_t piece = is_whole ? BLOCK_SECTORS : s->piece;

	for (uint64_t at = 0; at < sectors; at += piece) {
		if (powercut_keeps_sector(pc))
			continue;
		apply(s, item, start * SECTOR, (at - start) * SECTOR);
		start = at + piece;
	}
	if (start < sectors)
		apply(s, item, start * SECTOR, item->r.bytes - start * SECTOR);
}

static enum cut_policy choose_policy(struct state *s)
{
	return (enum cut_policy)rng_below(&s->rng, NR_CUT_POLICIES);
}

static const char *apply_open(struct state *s, enum cut_policy policy)
{
	struct powercut pc;

	s->piece = rng_chance(&s->rng, 1, 2) ? 1 : BLOCK_SECTORS;
	qsort(s->open, s->nr_open, sizeof(*s->open), compare);
	powercut_init(&pc, policy, rng_next(&s->rng), s->nr_open);
	for (size_t i = 0; i < s->nr_open; i++) {
		powercut_next_write(&pc, s->open[i].item->r.end > s->cut);
		apply_pieces(s, s->open[i].item, &pc);
	}
	return powercut_text(policy);
}

static void write_marks(const struct state *s, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die(path, strerror(errno));
	for (size_t i = 0; i < s->trace.nr_items; i++) {
		const struct trace_item *item = &s->trace.items[i];

		if (item->r.kind == TRACE_MARK && item->r.end <= s->cut)
			fwrite(item->data, 1, item->r.data_bytes, f);
	}
	if (ferror(f) | fclose(f))
		die(path, strerror(errno));
}

/* ------------------------------------------------------------------ what is certain, kept */

/* The times up to which it has been carried out; false: nothing, or too much for this cut. */
static bool read_progress(struct state *s, const char *dir)
{
	char path[4096];
	bool is_good;
	FILE *f;

	snprintf(path, sizeof(path), "%s/progress", dir);
	f = fopen(path, "re");
	is_good = f && fread(s->done, sizeof(s->done), 1, f) == 1;
	for (unsigned int i = 0; i < TRACE_FILES; i++)
		is_good = is_good && s->done[i] <= s->synced[i];
	if (f)
		fclose(f);
	if (!is_good)
		memset(s->done, 0, sizeof(s->done));
	return is_good;
}

static void write_progress(const struct state *s, const char *dir)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/progress", dir);
	f = fopen(path, "we");
	if (!f || fwrite(s->synced, sizeof(s->synced), 1, f) != 1 || fclose(f) != 0)
		die(path, strerror(errno));
}

static void make_certain(struct state *s, const char *dir, const char *base, const char *kept)
{
	bool is_kept;

	find_synced(s);
	if (!kept) {
		open_files(s, dir, base, false);
		apply_certain(s);
		return;
	}
	is_kept = read_progress(s, kept);
	open_files(s, kept, is_kept ? NULL : base, is_kept);
	apply_certain(s);
	write_progress(s, kept);
	for (uint32_t i = 0; i < s->trace.head.nr_files; i++)
		close(s->fds[i]);
	open_files(s, dir, kept, false);
}

/* ------------------------------------------------------------------ the program */

static void let_go(struct state *s)
{
	free(s->open);
	traceread_close(&s->trace);
}

static int make_cut(char **argv)
{
	struct state s = { 0 };

	if (traceread_open(&s.trace, argv[0]) < 0 || s.trace.nr_items == 0)
		die(argv[0], "no trace");
	s.cut = s.trace.items[find_mark(&s.trace, "cut")].r.end;
	make_certain(&s, argv[2], NULL, NULL);
	collect_open(&s);
	(void)apply_open(&s, CUT_DROP_ALL);
	write_marks(&s, argv[3]);
	let_go(&s);
	return 0;
}

int main(int argc, char **argv)
{
	struct state s = { 0 };
	const char *base = NULL, *kept = NULL, *where, *how;
	uint64_t index;
	int c, err;

	while ((c = getopt(argc, argv, "b:p:w:")) != -1) {
		if (c == 'b')
			base = optarg;
		else if (c == 'p')
			kept = optarg;
		else if (c == 'w')
			s.whole = optarg;
		else
			return 2;
	}
	argv += optind;
	if (argc - optind == 4 && strcmp(argv[1], "cut") == 0)
		return make_cut(argv);
	if (argc - optind != 6)
		die("usage", "state [-b BASE] [-p DIR] [-w NAME] TRACE SEED INDEX COUNT DIR MARKS");
	err = traceread_open(&s.trace, argv[0]);
	if (err || s.trace.nr_items == 0)
		die(argv[0], "no trace");
	index = strtoull(argv[2], NULL, 10);
	rng_seed(&s.rng, rng_mix(strtoull(argv[1], NULL, 10)) + index);
	where = choose_cut(&s, index, strtoull(argv[3], NULL, 10));
	make_certain(&s, argv[4], base, kept);
	collect_open(&s);
	how = apply_open(&s, choose_policy(&s));
	write_marks(&s, argv[5]);
	printf("cut at %" PRIu64 " (%s), %zu requests open: %s, pieces of %u\n", s.cut, where,
	       s.nr_open, how, s.piece * SECTOR);
	let_go(&s);
	return 0;
}
