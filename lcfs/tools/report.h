/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts on standard output or elsewhere, for people or as JSON, by the same calls.
 *
 *	report_object(r, "cache");           cache:                    { "cache": {
 *	report_u64(r, "segments", 3);          segments  3               "segments": 3,
 *	report_line(r, "record");              record lsn=1 bytes=2      "record": { "lsn": 1,
 *	...                                                                "bytes": 2 }
 *	report_end(r); report_end(r);                                    } }
 *
 * What is named inside an array has its name in the text only. A byte that is not UTF-8 is \xHH.
 * Errors of the stream are found by whoever closes it.
 */
#ifndef LCFS_TOOLS_REPORT_H
#define LCFS_TOOLS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/compiler.h"
#include "common/json.h"

#define REPORT_DEPTH 12

struct report {
	FILE *out;
	bool is_json;
	struct json json;
	unsigned int depth;
	bool is_within; /* a line has been begun and is not ended */
	struct report_level {
		bool is_array, is_line;
	} level[REPORT_DEPTH];
};

/* Begins the object that holds all; report_finish() ends it. */
void report_start(struct report *r, FILE *out, bool is_json);
void report_finish(struct report *r);

/* Until report_end(): an object; one whose facts stand on one line in the text; an array. */
void report_object(struct report *r, const char *name);
void report_line(struct report *r, const char *name);
void report_array(struct report *r, const char *name);
void report_end(struct report *r);

void report_u64(struct report *r, const char *name, uint64_t value);
void report_i64(struct report *r, const char *name, int64_t value);
void report_hex(struct report *r, const char *name, uint64_t value, int digits);
void report_bool(struct report *r, const char *name, bool value);
void report_bytes(struct report *r, const char *name, const char *text, size_t bytes);
void report_text(struct report *r, const char *name, const char *text);
void report_uuid(struct report *r, const char *name, const uint8_t *uuid);

#endif
