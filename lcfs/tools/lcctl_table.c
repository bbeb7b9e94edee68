// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of values in the forms that lcctl prints. */
#include "lcfs/tools/lcctl_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/align.h"
#include "common/messages.h"

/* ---------------------------------------------------------------- one value */

/* At most three digits that count, and a letter: 1.21G. */
static void format_short(char *buf, uint64_t n, unsigned int base)
{
	static const char letter[] = "KMGTPE";
	double value = (double)n;
	int power = -1;

	while (value >= base - 0.5 && letter[power + 1]) {
		value /= base;
		power++;
	}
	if (power < 0)
		snprintf(buf, CELL_TEXT_MAX, "%" PRIu64, n);
	else
		snprintf(buf, CELL_TEXT_MAX, "%.*f%c",
			 value < 9.995 ? 2 :
			 value < 99.95 ? 1 :
					 0,
			 value, letter[power]);
}

static void format_seconds(char *buf, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 10)
		snprintf(buf, CELL_TEXT_MAX, "%.1fs", (double)ms / 1000);
	else if (s < 60)
		snprintf(buf, CELL_TEXT_MAX, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(buf, CELL_TEXT_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(buf, CELL_TEXT_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
}

static void format_latency(char *buf, uint64_t ns)
{
	double value = (double)ns / 1000;
	const char *unit = "us";

	if (value >= 999.5) {
		value /= 1000;
		unit = "ms";
	}
	if (value >= 999.5) {
		value /= 1000;
		unit = "s";
	}
	snprintf(buf, CELL_TEXT_MAX, "%.*f%s", value < 9.95 ? 1 : 0, value, unit);
}

static void format_time(char *buf, uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	strftime(buf, CELL_TEXT_MAX, "%H:%M:%S", localtime_r(&t, &tm));
}

char *cell_format(char *buf, enum cell_kind kind, uint64_t n, bool exact)
{
	if (kind == CELL_SECONDS && exact)
		snprintf(buf, CELL_TEXT_MAX, "%.3f", (double)n / 1000);
	else if (kind == CELL_SECONDS)
		format_seconds(buf, n);
	else if (kind == CELL_LATENCY && exact)
		snprintf(buf, CELL_TEXT_MAX, "%.9f", (double)n / 1e9);
	else if (kind == CELL_LATENCY)
		format_latency(buf, n);
	else if (kind == CELL_TIME && !exact)
		format_time(buf, n);
	else if (kind == CELL_BYTES && !exact)
		format_short(buf, n, 1024);
	else if (kind == CELL_RATE && !exact)
		format_short(buf, n, 1000);
	else
		snprintf(buf, CELL_TEXT_MAX, "%" PRIu64 "%s", n,
			 kind == CELL_PERCENT && !exact ? "%" : "");
	return buf;
}

char *cell_escape(char *buf, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 5 < size; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch < 0x20 || ch == 0x7f || ch == '\\')
			n += (size_t)snprintf(buf + n, size - n, "\\%03o", ch);
		else
			buf[n++] = *text;
	}
	buf[n] = '\0';
	return buf;
}

/* ---------------------------------------------------------------- filling */

void table_init(struct table *t, const struct column *columns, size_t nr_columns)
{
	*t = (struct table){ .columns = columns, .nr_columns = nr_columns };
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->nr_rows * t->nr_columns + t->filled; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct table){ 0 };
}

static void add(struct table *t, struct cell cell)
{
	size_t nr = t->nr_rows * t->nr_columns + t->filled;

	if (nr == t->room) {
		size_t room = max(2 * t->room, (size_t)64);
		struct cell *cells = reallocarray(t->cells, room, sizeof(*cells));

		if (!cells) {
			t->is_short = true;
			free(cell.text);
			return;
		}
		t->cells = cells;
		t->room = room;
	}
	t->cells[nr] = cell;
	if (++t->filled == t->nr_columns) {
		t->filled = 0;
		t->nr_rows++;
	}
}

void table_text(struct table *t, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	t->is_short |= text && !copy;
	add(t, (struct cell){ .is_known = copy, .text = copy });
}

void table_number(struct table *t, bool is_known, uint64_t n)
{
	add(t, (struct cell){ .is_known = is_known, .n = n });
}

/* ---------------------------------------------------------------- printing */

#define TEXT_MAX 4096

static const char *cell_string(const struct table *t, size_t row, size_t col, bool exact, char *buf)
{
	const struct cell *cell = &t->cells[row * t->nr_columns + col];

	if (!cell->is_known)
		return "-";
	if (t->columns[col].kind == CELL_TEXT)
		return cell_escape(buf, TEXT_MAX, cell->text);
	return cell_format(buf, t->columns[col].kind, cell->n, exact);
}

/* Columns of a terminal that UTF-8 text takes, near enough. */
static int columns_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void print_cell(const struct column *col, const char *text, int width, bool is_last)
{
	int pad = max(width - columns_of(text), 0);

	if (col->kind != CELL_TEXT)
		printf("%*s%s%s", pad, "", text, is_last ? "" : "  ");
	else
		printf("%s%*s", text, is_last ? 0 : pad + 2, "");
}

static int width_of(const struct table *t, size_t col, bool exact)
{
	char buf[TEXT_MAX];
	int width = max(t->columns[col].width, columns_of(t->columns[col].title));

	for (size_t row = 0; row < t->nr_rows; row++)
		width = max(width, columns_of(cell_string(t, row, col, exact, buf)));
	return width;
}

static void print_aligned(const struct table *t, bool exact, bool with_header)
{
	char buf[TEXT_MAX];
	int width[32] = { 0 };

	for (size_t col = 0; col < t->nr_columns; col++)
		width[col] = width_of(t, col, exact);
	for (size_t col = 0; with_header && col < t->nr_columns; col++)
		print_cell(&t->columns[col], t->columns[col].title, width[col],
			   col + 1 == t->nr_columns);
	if (with_header)
		printf("\n");
	for (size_t row = 0; row < t->nr_rows; row++) {
		for (size_t col = 0; col < t->nr_columns; col++)
			print_cell(&t->columns[col], cell_string(t, row, col, exact, buf),
				   width[col], col + 1 == t->nr_columns);
		printf("\n");
	}
}

static void print_tabs(const struct table *t, bool exact)
{
	char buf[TEXT_MAX];

	for (size_t row = 0; row < t->nr_rows; row++)
		for (size_t col = 0; col < t->nr_columns; col++)
			printf("%s%c", cell_string(t, row, col, exact, buf),
			       col + 1 == t->nr_columns ? '\n' : '\t');
}

bool table_print(const struct lcctl *c, const struct table *t)
{
	return table_print_more(c, t, t->nr_rows > 0);
}

bool table_print_more(const struct lcctl *c, const struct table *t, bool with_header)
{
	bool exact = lcctl_has(c, OPT_EXACT);

	if (t->is_short) {
		msg_err("out of memory");
		return false;
	}
	if (lcctl_has(c, OPT_SCRIPT))
		print_tabs(t, exact);
	else
		print_aligned(t, exact, with_header);
	return true;
}

void table_json(const struct table *t, struct json *j)
{
	for (size_t row = 0; row < t->nr_rows; row++) {
		json_open(j, NULL, '{');
		for (size_t col = 0; col < t->nr_columns; col++) {
			const struct column *column = &t->columns[col];
			const struct cell *cell = &t->cells[row * t->nr_columns + col];

			if (!cell->is_known)
				json_null(j, column->key);
			else if (column->kind == CELL_TEXT)
				json_text(j, column->key, cell->text);
			else if (column->kind == CELL_SECONDS)
				json_decimal(j, column->key, (double)cell->n / 1000, 3);
			else if (column->kind == CELL_LATENCY)
				json_decimal(j, column->key, (double)cell->n / 1e9, 9);
			else
				json_number(j, column->key, cell->n);
		}
		json_close(j, '}');
	}
}
