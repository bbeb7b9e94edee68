// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing JSON. */
#include "lcfs/tools/lcctl_json.h"

#include <inttypes.h>
#include <string.h>

/* Bytes of the UTF-8 character at s; 0: it is none. */
static unsigned int utf8_bytes(const unsigned char *s)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int n, c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	c = s[0] & (0x7fu >> n);
	for (unsigned int i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static void put_text(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		unsigned int n = utf8_bytes(s);

		if (n == 0)
			fprintf(out, "\\udc%02x", *s);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

/* What stands before a value. */
static void begin(struct json *j, const char *key)
{
	if (j->has_member[j->depth])
		fputc(',', j->out);
	if (j->depth && !j->is_compact)
		fprintf(j->out, "\n%*s", (int)(2 * j->depth), "");
	else if (j->has_member[j->depth])
		fputc(' ', j->out);
	j->has_member[j->depth] = true;
	if (key) {
		put_text(j->out, key);
		fputs(": ", j->out);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	fputc(bracket, j->out);
	j->has_member[++j->depth] = false;
}

void json_close(struct json *j, char bracket)
{
	bool is_empty = !j->has_member[j->depth--];

	if (!is_empty && !j->is_compact)
		fprintf(j->out, "\n%*s", (int)(2 * j->depth), "");
	fputc(bracket, j->out);
}

void json_text(struct json *j, const char *key, const char *text)
{
	begin(j, key);
	if (text)
		put_text(j->out, text);
	else
		fputs("null", j->out);
}

void json_number(struct json *j, const char *key, uint64_t n)
{
	begin(j, key);
	fprintf(j->out, "%" PRIu64, n);
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
	json_text(j, key, NULL);
}

void json_end(struct json *j)
{
	fputc('\n', j->out);
	j->has_member[0] = false;
}
