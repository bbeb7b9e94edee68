// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts for people or as JSON. */
#include "lcfs/tools/report.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/utf8.h"
#include "lcfs/io/uuid.h"

#define NAME_COLUMNS 26

static struct report_level *level(struct report *r)
{
	return &r->level[r->depth - 1];
}

/* ------------------------------------------------------------------ text */

static void indent(struct report *r)
{
	/* the object that holds all is not seen */
	fprintf(r->out, "%*s", (int)(2 * (r->depth - 1)), "");
}

static void end_line(struct report *r)
{
	if (r->is_within)
		fputc('\n', r->out);
	r->is_within = false;
}

static bool is_on_line(struct report *r)
{
	return level(r)->is_line && r->is_within;
}

/* What stands before a value. */
static void begin(struct report *r, const char *name)
{
	if (is_on_line(r)) {
		fprintf(r->out, " %s=", name);
	} else {
		end_line(r);
		indent(r);
		fprintf(r->out, "%-*s ", NAME_COLUMNS - (int)(2 * (r->depth - 1)), name);
	}
}

static void end(struct report *r)
{
	if (!is_on_line(r))
		fputc('\n', r->out);
}

/* A fact that is neither escaped nor differs in JSON. */
static void put(struct report *r, const char *name, const char *format, ...) printf_like(3, 4);
static void put(struct report *r, const char *name, const char *format, ...)
{
	va_list args;

	begin(r, name);
	va_start(args, format);
	vfprintf(r->out, format, args);
	va_end(args);
	end(r);
}

static void put_bytes(struct report *r, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes;) {
		unsigned char c = (unsigned char)text[i];
		size_t n = utf8_length(text + i, bytes - i);

		if (n == 0 || c < 0x20 || c == 0x7f) {
			fprintf(r->out, "\\x%02x", c);
		} else {
			if (c == '\\')
				fputc('\\', r->out);
			fwrite(text + i, 1, n, r->out);
		}
		i += n ? n : 1;
	}
}

/* ------------------------------------------------------------------ both */

/* Of a member of what is open; inside an array JSON has none. */
static const char *key(struct report *r, const char *name)
{
	return level(r)->is_array ? NULL : name;
}

static void enter(struct report *r, bool is_array, bool is_line)
{
	assert(r->depth < REPORT_DEPTH);
	r->level[r->depth++] = (struct report_level){ .is_array = is_array, .is_line = is_line };
}

static void open_level(struct report *r, const char *name, bool is_array, bool is_line)
{
	if (r->is_json) {
		json_open(&r->json, key(r, name), is_array ? '[' : '{');
	} else {
		end_line(r);
		indent(r);
		fprintf(r->out, is_line ? "%s" : "%s:\n", name);
		r->is_within = is_line;
	}
	enter(r, is_array, is_line);
}

void report_start(struct report *r, FILE *out, bool is_json)
{
	*r = (struct report){
		.out = out,
		.is_json = is_json,
		.json = { .out = out, .lines = JSON_DEPTH },
	};
	if (is_json)
		json_open(&r->json, NULL, '{');
	enter(r, false, false);
}

void report_object(struct report *r, const char *name)
{
	open_level(r, name, false, false);
}

void report_line(struct report *r, const char *name)
{
	open_level(r, name, false, true);
}

void report_array(struct report *r, const char *name)
{
	open_level(r, name, true, false);
}

void report_end(struct report *r)
{
	bool was_array = level(r)->is_array;

	r->depth--;
	if (r->is_json)
		json_close(&r->json, was_array ? ']' : '}');
	else
		end_line(r);
}

void report_finish(struct report *r)
{
	report_end(r);
	if (r->is_json)
		json_end(&r->json);
}

/* ------------------------------------------------------------------ values */

void report_u64(struct report *r, const char *name, uint64_t value)
{
	if (r->is_json)
		json_number(&r->json, key(r, name), value);
	else
		put(r, name, "%" PRIu64, value);
}

void report_i64(struct report *r, const char *name, int64_t value)
{
	if (r->is_json)
		json_signed(&r->json, key(r, name), value);
	else
		put(r, name, "%" PRId64, value);
}

void report_hex(struct report *r, const char *name, uint64_t value, int digits)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*" PRIx64, digits, value);
	report_text(r, name, text);
}

void report_bool(struct report *r, const char *name, bool value)
{
	if (r->is_json)
		json_bool(&r->json, key(r, name), value);
	else
		put(r, name, "%s", value ? "yes" : "no");
}

void report_bytes(struct report *r, const char *name, const char *text, size_t bytes)
{
	if (r->is_json) {
		json_bytes(&r->json, key(r, name), text, bytes);
		return;
	}
	begin(r, name);
	put_bytes(r, text, bytes);
	end(r);
}

void report_text(struct report *r, const char *name, const char *text)
{
	report_bytes(r, name, text, strlen(text));
}

void report_uuid(struct report *r, const char *name, const uint8_t *uuid)
{
	char text[UUID_TEXT_BYTES];

	uuid_text(uuid, text);
	report_text(r, name, text);
}
