// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts for people or as JSON. */
#include "lcfs/tools/report.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

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

/* ------------------------------------------------------------------ both */

static void begin_json(struct report *r, const char *name)
{
	struct report_level *l = level(r);

	fputs(l->has_any ? ",\n" : "\n", r->out);
	fprintf(r->out, "%*s", (int)r->depth, "");
	if (!l->is_array)
		fprintf(r->out, "\"%s\": ", name);
	l->has_any = true;
}

/* What stands before a value. */
static void begin(struct report *r, const char *name)
{
	if (r->is_json) {
		begin_json(r, name);
	} else if (is_on_line(r)) {
		fprintf(r->out, " %s=", name);
	} else {
		end_line(r);
		indent(r);
		fprintf(r->out, "%-*s ", NAME_COLUMNS - (int)(2 * (r->depth - 1)), name);
	}
}

static void end(struct report *r)
{
	if (!r->is_json && !is_on_line(r))
		fputc('\n', r->out);
}

static void enter(struct report *r, bool is_array, bool is_line)
{
	assert(r->depth < REPORT_DEPTH);
	r->level[r->depth++] = (struct report_level){ .is_array = is_array, .is_line = is_line };
}

static void open_level(struct report *r, const char *name, bool is_array, bool is_line)
{
	if (r->is_json) {
		begin_json(r, name);
		fputc(is_array ? '[' : '{', r->out);
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
	*r = (struct report){ .out = out, .is_json = is_json };
	if (is_json)
		fputc('{', out);
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
	struct report_level was = *level(r);

	r->depth--;
	if (!r->is_json) {
		end_line(r);
		return;
	}
	if (was.has_any)
		fprintf(r->out, "\n%*s", (int)r->depth, "");
	fputc(was.is_array ? ']' : '}', r->out);
}

void report_finish(struct report *r)
{
	report_end(r);
	if (r->is_json)
		fputc('\n', r->out);
}

/* ------------------------------------------------------------------ values */

void report_u64(struct report *r, const char *name, uint64_t value)
{
	begin(r, name);
	fprintf(r->out, "%" PRIu64, value);
	end(r);
}

void report_i64(struct report *r, const char *name, int64_t value)
{
	begin(r, name);
	fprintf(r->out, "%" PRId64, value);
	end(r);
}

void report_hex(struct report *r, const char *name, uint64_t value, int digits)
{
	begin(r, name);
	fprintf(r->out, r->is_json ? "\"%0*" PRIx64 "\"" : "%0*" PRIx64, digits, value);
	end(r);
}

void report_bool(struct report *r, const char *name, bool value)
{
	begin(r, name);
	if (r->is_json)
		fputs(value ? "true" : "false", r->out);
	else
		fputs(value ? "yes" : "no", r->out);
	end(r);
}

/* Bytes of the UTF-8 character at text, 0 if there is none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	size_t n = text[0] < 0x80 ? 1 :
		   text[0] < 0xc2 ? 0 :
		   text[0] < 0xe0 ? 2 :
		   text[0] < 0xf0 ? 3 :
		   text[0] < 0xf5 ? 4 :
				    0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* longer than it need be, surrogates, above U+10FFFF */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return n;
}

static void put_control(struct report *r, unsigned char c)
{
	if (r->is_json)
		fprintf(r->out, "\\u%04x", c);
	else
		fprintf(r->out, "\\x%02x", c);
}

void report_bytes(struct report *r, const char *name, const char *text, size_t bytes)
{
	begin(r, name);
	if (r->is_json)
		fputc('"', r->out);
	for (size_t i = 0; i < bytes;) {
		const unsigned char *at = (const unsigned char *)text + i;
		size_t n = utf8_length(at, bytes - i);

		if (!n)
			fputs("\xef\xbf\xbd", r->out);
		else if (*at < 0x20 || *at == 0x7f)
			put_control(r, *at);
		else {
			if (*at == '\\' || (*at == '"' && r->is_json))
				fputc('\\', r->out);
			fwrite(at, 1, n, r->out);
		}
		i += n ? n : 1;
	}
	if (r->is_json)
		fputc('"', r->out);
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
