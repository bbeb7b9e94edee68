// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints a trace of blockfile, a line a record: tracedump TRACE
 *
 *	START END KIND FILE OFFSET BYTES ERROR     of a mark: START END mark TEXT
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/stand/traceread.h"

static void print(const struct traceread *t, const struct trace_item *item)
{
	static const char *const kinds[] = { "?", "write", "discard", "sync", "mark" };
	const struct trace_record *r = &item->r;
	int text_bytes = (int)r->data_bytes;

	printf("%" PRIu64 " %" PRIu64 " %s ", r->start, r->end, kinds[r->kind <= 4 ? r->kind : 0]);
	if (r->kind == TRACE_MARK) {
		while (text_bytes && item->data[text_bytes - 1] == '\n')
			text_bytes--;
		printf("%.*s\n", text_bytes, (const char *)item->data);
		return;
	}
	printf("%s %" PRIu64 " %" PRIu64 " %s\n", t->head.file[r->file % TRACE_FILES].name,
	       r->offset, r->bytes, r->error ? strerror(r->error) : "-");
}

int main(int argc, char **argv)
{
	struct traceread t;
	int err = argc == 2 ? traceread_open(&t, argv[1]) : -1;

	if (err) {
		fprintf(stderr, "tracedump: no trace\n");
		return 2;
	}
	for (size_t i = 0; i < t.nr_items; i++)
		print(&t, &t.items[i]);
	traceread_close(&t);
	return 0;
}
