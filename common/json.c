// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing JSON. */
#include "common/json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "common/utf8.h"

static void put_text(FILE *out, const char *text, size_t bytes)
{
	fputc('"', out);
	for (size_t i = 0; i < bytes;) {
		unsigned char c = (unsigned char)text[i];
		size_t n = utf8_length(text + i, bytes - i);

		if (n == 0)
			fprintf(out, "\\\\x%02x", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fwrite(text + i, 1, n, out);
		i += n ? n : 1;
	}
	fputc('"', out);
}

static void new_line(const struct json *j, unsigned int depth)
{
	fprintf(j->out, "\n%*s", (int)(2 * depth), "");
}

/* What stands before a value. */
static void begin(struct json *j, const char *key)
{
	if (j->has_member[j->depth])
		fputc(',', j->out);
	if (j->depth && j->depth <= j->lines)
		new_line(j, j->depth);
	else if (j->has_member[j->depth])
		fputc(' ', j->out);
	j->has_member[j->depth] = true;
	if (key) {
		put_text(j->out, key, strlen(key));
		fputs(": ", j->out);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	assert(j->depth < JSON_DEPTH);
	begin(j, key);
	fputc(bracket, j->out);
	j->has_member[++j->depth] = false;
}

void json_close(struct json *j, char bracket)
{
	bool is_empty = !j->has_member[j->depth];

	if (!is_empty && j->depth <= j->lines)
		new_line(j, j->depth - 1);
	j->depth--;
	fputc(bracket, j->out);
}

void json_bytes(struct json *j, const char *key, const char *text, size_t bytes)
{
	begin(j, key);
	put_text(j->out, text, bytes);
}

void json_text(struct json *j, const char *key, const char *text)
{
	if (text)
		json_bytes(j, key, text, strlen(text));
	else
		json_null(j, key);
}

void json_number(struct json *j, const char *key, uint64_t n)
{
	begin(j, key);
	fprintf(j->out, "%" PRIu64, n);
}

void json_signed(struct json *j, const char *key, int64_t n)
{
	begin(j, key);
	fprintf(j->out, "%" PRId64, n);
}

void json_decimal(struct json *j, const char *key, double n, int digits)
{
	begin(j, key);
	fprintf(j->out, "%.*f", digits, n);
}

void json_bool(struct json *j, const char *key, bool b)
{
	begin(j, key);
	fputs(b ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	fputs("null", j->out);
}

void json_end(struct json *j)
{
	fputc('\n', j->out);
	j->has_member[0] = false;
}
