/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: rows of values, for people (aligned, short numbers), for scripts (-H: tabs and
 * no header; -p: exact numbers) and as JSON objects.
 */
#ifndef LCFS_TOOLS_LCCTL_TABLE_H
#define LCFS_TOOLS_LCCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "lcfs/tools/lcctl.h"

enum cell_kind {
	CELL_TEXT,
	CELL_COUNT, /* a plain number */
	CELL_BYTES,
	CELL_RATE, /* of something a second: 1.2K, in powers of 1000 */
	CELL_PERCENT,
	CELL_SECONDS, /* in milliseconds; shown as seconds, minutes, hours */
	CELL_LATENCY, /* in ns; shown as us, ms, s */
	CELL_TIME,    /* since 1970; shown as time of the day */
};

/* `title` is for people, `key` for JSON. */
struct column {
	const char *title, *key;
	enum cell_kind kind;
	int width; /* at least */
};

struct cell {
	bool is_known; /* false: `-`, null */
	uint64_t n;
	char *text; /* CELL_TEXT */
};

struct table {
	const struct column *columns;
	size_t nr_columns;
	struct cell *cells;	      /* nr_rows rows */
	size_t nr_rows, room, filled; /* cells of the row that is being filled */
	bool is_short;		      /* of memory: said by table_print() */
};

void table_init(struct table *t, const struct column *columns, size_t nr_columns);
void table_free(struct table *t);
/* The next cell of the row; the last one ends it. text is copied; NULL: not known. */
void table_text(struct table *t, const char *text);
void table_number(struct table *t, bool is_known, uint64_t n);
/* As the options say, without -j. False, said: no memory. */
bool table_print(const struct lcctl *c, const struct table *t) must_check;
/* The same, the header only if asked for. */
bool table_print_more(const struct lcctl *c, const struct table *t, bool with_header) must_check;
/* An object a row, in an array that the caller has opened. */
void table_json(const struct table *t, struct json *j);

/* One value as people read it; exact: as scripts do. Returns buf. */
#define CELL_TEXT_MAX 32
char *cell_format(char *buf, enum cell_kind kind, uint64_t n, bool exact);
/* Control characters in a name would move the cursor or forge a line: \ooo. Returns buf. */
char *cell_escape(char *buf, size_t size, const char *text);

#endif
