// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl top: caches and the busiest images, live. q ends it; d, w, r and n say what comes first. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/tools/lcctl_sample.h"
#include "lcfs/tools/lcctl_screen.h"
#include "lcfs/tools/lcctl_table.h"

struct top {
	struct tree tree;
	struct sample before, now;
	uint64_t pause_ns;
	char order; /* the key */
};

/* ---------------------------------------------------------------- order */

struct line {
	const struct counters *image;
	uint64_t reads, writes; /* bytes a second where that is known, else requests */
};

static uint64_t busy(const struct top *t, const struct counters *before, const struct counters *now,
		     enum counter bytes, enum counter requests)
{
	uint64_t ns = sample_span(&t->before, &t->now), rate;

	if (sample_rate(before, now, ns, bytes, &rate))
		return rate;
	return sample_rate(before, now, ns, requests, &rate) ? rate : 0;
}

#define DESCENDING(a, b) (((a) < (b)) - ((a) > (b)))

static int by_name(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return strcmp(x->image->name, y->image->name);
}

static int by_dirty(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return DESCENDING(x->image->dirty, y->image->dirty);
}

static int by_writes(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = DESCENDING(x->writes, y->writes);

	return order ? order : by_dirty(a, b);
}

static int by_reads(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = DESCENDING(x->reads, y->reads);

	return order ? order : by_dirty(a, b);
}

static struct line *sorted_lines(const struct top *t)
{
	static int (*const orders[])(const void *, const void *) = { ['d'] = by_dirty,
								     ['n'] = by_name,
								     ['r'] = by_reads,
								     ['w'] = by_writes };
	struct line *line = calloc(t->now.nr_images + 1, sizeof(*line));

	for (size_t i = 0; line && i < t->now.nr_images; i++) {
		const struct counters *now = &t->now.image[i];
		const struct counters *before = sample_image(&t->before, now->id);

		line[i].image = now;
		line[i].reads = busy(t, before, now, COUNT_READ_BYTES, COUNT_READS);
		line[i].writes = busy(t, before, now, COUNT_WRITE_BYTES, COUNT_WRITES);
	}
	if (line && t->now.nr_images)
		qsort(line, t->now.nr_images, sizeof(*line), orders[(int)t->order]);
	return line;
}

/* ---------------------------------------------------------------- the screen */

static const char *rate_text(const struct top *t, const struct counters *before,
			     const struct counters *now, enum counter c, enum cell_kind kind,
			     char *buf)
{
	uint64_t rate;

	if (!sample_rate(before, now, sample_span(&t->before, &t->now), c, &rate))
		return "-";
	return cell_format(buf, kind, rate, false);
}

static const char *dirty_text(const struct counters *c, char *buf)
{
	return c->has_dirty ? cell_format(buf, CELL_BYTES, c->dirty, false) : "-";
}

/* A cache or an image, in the same columns. */
static void print_line(FILE *f, const struct top *t, const char *what,
		       const struct counters *before, const struct counters *now)
{
	char b[6][CELL_TEXT_MAX], age[CELL_TEXT_MAX] = "-", name[TREE_PATH_MAX];

	if (now->has_age && now->dirty)
		cell_format(age, CELL_SECONDS, now->age_ms, false);
	fprintf(f, "%7s %7s %8s %8s %8s %8s  %-9s %s\n", dirty_text(now, b[0]), age,
		rate_text(t, before, now, COUNT_READS, CELL_RATE, b[1]),
		rate_text(t, before, now, COUNT_WRITES, CELL_RATE, b[2]),
		rate_text(t, before, now, COUNT_READ_BYTES, CELL_BYTES, b[3]),
		rate_text(t, before, now, COUNT_WRITE_BYTES, CELL_BYTES, b[4]),
		*now->state ? now->state : "-", cell_escape(name, sizeof(name), what));
}

static void print_screen(FILE *f, const struct top *t)
{
	struct line *line = sorted_lines(t);
	char text[TREE_PATH_MAX], when[CELL_TEXT_MAX];

	fprintf(f, "lcctl top  %s  %s  %zu images\n",
		cell_format(when, CELL_TIME, clock_real_ns() / NSEC_PER_SEC, false),
		cell_escape(text, sizeof(text), t->tree.where), t->now.nr_images);
	fprintf(f, "q quit; order: d dirty, w written, r read, n name\n\n");
	fprintf(f, "\033[7m%7s %7s %8s %8s %8s %8s  %-9s %s\033[0m\n", "DIRTY", "AGE", "READ/S",
		"WRITE/S", "READB/S", "WRITEB/S", "STATE", "WHAT");
	for (size_t i = 0; i < t->now.nr_caches; i++) {
		const struct counters *now = &t->now.cache[i];
		char what[32];

		snprintf(what, sizeof(what), "cache %u", now->id);
		print_line(f, t, what, sample_cache(&t->before, now->id), now);
	}
	fprintf(f, "\n");
	for (size_t i = 0; line && i < t->now.nr_images; i++)
		print_line(f, t, line[i].image->name, sample_image(&t->before, line[i].image->id),
			   line[i].image);
	free(line);
}

static bool draw(const struct top *t)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return false;
	print_screen(f, t);
	if (fclose(f) != 0)
		return false;
	screen_show(text);
	free(text);
	return true;
}

/* ---------------------------------------------------------------- the loop */

/* Keys until the time. False: the end. */
static bool keys_until(struct top *t, uint64_t until)
{
	for (;;) {
		int key = screen_key(until);

		if (key == SCREEN_TIMEOUT || key == ' ')
			return true;
		if (key == SCREEN_END || key == 'q' || key == 'Q')
			return false;
		if (key > 0 && strchr("dwrn", key))
			t->order = (char)key;
		if (!draw(t))
			return false;
	}
}

/* True: ended by the user; else the mount has gone. */
static bool run(struct top *t)
{
	uint64_t next = clock_mono_ns();

	for (;;) {
		struct sample s;

		if (!sample_take(&t->tree, true, &s))
			return false;
		sample_free(&t->before);
		t->before = t->now;
		t->now = s;
		next += t->pause_ns;
		if (!draw(t) || !keys_until(t, next))
			return true;
	}
}

int lcctl_top(const struct lcctl *c)
{
	struct top t = { .tree.fd = -1, .pause_ns = NSEC_PER_SEC, .order = 'd' };
	bool is_done;

	if (c->nr_operands && !lcctl_interval(c->operand[0], &t.pause_ns))
		return EXIT_USAGE;
	if (!tree_pick(c, NULL, &t.tree))
		return EXIT_FAILED;
	if (!screen_begin()) {
		tree_close(&t.tree);
		return EXIT_FAILED;
	}
	is_done = run(&t);
	screen_end();
	if (!is_done)
		msg_err("%s: is no longer mounted, or does not answer", t.tree.where);
	sample_free(&t.before);
	sample_free(&t.now);
	tree_close(&t.tree);
	return is_done ? EXIT_DONE : EXIT_FAILED;
}
