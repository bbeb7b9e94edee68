// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of a configuration file. A line is blank, a comment (# or ;), [SECTION] or KEY = VALUE,
 * where VALUE may stand in quotes and be followed by a comment; there is nothing else.
 */
#include "lcfs/confscan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"

/* iniparser's lines have 1024 bytes; what is added here is less than the rest. */
#define LINE_MAX_BYTES 900
#define SECTIONS_MAX 1024

struct scan {
	struct confscan *out;
	FILE *plain;
	unsigned int line;
	bool (*may_repeat)(const char *name);
	char *text;
	size_t size;
};

static int complain(const struct scan *s, const char *format, ...) printf_like(2, 3);
static int complain(const struct scan *s, const char *format, ...)
{
	int n = snprintf(s->text, s->size, "%u: ", s->line);
	va_list args;

	if (n < 0 || (size_t)n >= s->size)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(s->text + n, s->size - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Cuts the blanks at the end of a text that begins at p. */
static void cut_blanks(char *p)
{
	size_t n = strlen(p);

	while (n && is_blank(p[n - 1]))
		n--;
	p[n] = '\0';
}

static bool is_comment(const char *p)
{
	return !*p || *p == '#' || *p == ';';
}

bool confscan_same(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	}
	return *a == *b;
}

/* ------------------------------------------------------------------ what was found */

static must_check int add_section(struct scan *s, const char *name)
{
	struct confscan *out = s->out;
	struct confscan_section *more;

	for (unsigned int i = 0; i < out->nr_sections; i++) {
		if (strcmp(out->section[i].name, name) == 0)
			return complain(s, "section [%s] is there already, in line %u", name,
					out->section[i].line);
	}
	if (out->nr_sections == SECTIONS_MAX)
		return complain(s, "more than %d sections", SECTIONS_MAX);
	more = reallocarray(out->section, out->nr_sections + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	out->section = more;
	more += out->nr_sections;
	*more = (struct confscan_section){ .name = strdup(name), .line = s->line };
	if (!more->name)
		return -ENOMEM;
	fprintf(s->plain, "[s%u]\n", out->nr_sections++);
	return 0;
}

static must_check int add_key(struct scan *s, const char *name, const char *value)
{
	struct confscan *out = s->out;
	struct confscan_key *more;
	unsigned int section = out->nr_sections - 1;

	bool may_repeat = s->may_repeat && s->may_repeat(name);

	for (unsigned int i = out->nr_keys; !may_repeat && i-- && out->key[i].section == section;) {
		if (confscan_same(out->key[i].name, name))
			return complain(s, "'%s' is there already, in line %u of this section",
					name, out->key[i].line);
	}
	more = reallocarray(out->key, out->nr_keys + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	out->key = more;
	more += out->nr_keys;
	*more = (struct confscan_key){
		.name = strdup(name),
		.section = section,
		.line = s->line,
	};
	if (!more->name)
		return -ENOMEM;
	fprintf(s->plain, "k%u = %s\n", out->nr_keys++, value);
	return 0;
}

/* ------------------------------------------------------------------ lines */

static must_check int take_section(struct scan *s, char *p)
{
	char *end = strrchr(p, ']');

	if (!end)
		return complain(s, "the ] of [SECTION] is missing");
	if (!is_comment(skip_blanks(end + 1)))
		return complain(s, "there is something behind the ] of a section");
	*end = '\0';
	p = skip_blanks(p + 1);
	cut_blanks(p);
	if (!*p)
		return complain(s, "a section without a name: [MOUNT POINT] is wanted");
	return add_section(s, p);
}

/* Is there nothing in the value that iniparser would read in another way than a person? */
static must_check int check_value(const struct scan *s, char *value)
{
	char *end;

	if (*value != '"' && *value != '\'') {
		value[strcspn(value, "#;")] = '\0';
		cut_blanks(value);
		if (*value && value[strlen(value) - 1] == '\\')
			return complain(s, "a \\ at the end: a line cannot be continued");
		return 0;
	}
	end = strchr(value + 1, *value);
	if (!end)
		return complain(s, "the closing %c is missing", *value);
	if (!is_comment(skip_blanks(end + 1)))
		return complain(s, "there is something behind the closing %c", *value);
	end[1] = '\0';
	return 0;
}

static must_check int take_key(struct scan *s, char *p)
{
	char *equals = strchr(p, '=');
	char *value;
	int err;

	if (!equals)
		return complain(s, "'%.40s' is neither KEY = VALUE nor [SECTION] nor a comment", p);
	*equals = '\0';
	cut_blanks(p);
	if (!*p)
		return complain(s, "there is no key before the =");
	if (!s->out->nr_sections)
		return complain(s,
				"'%s' stands before the first section: which [MOUNT POINT] is "
				"it for?",
				p);
	value = skip_blanks(equals + 1);
	err = check_value(s, value);
	return err ? err : add_key(s, p, value);
}

static must_check int take_line(struct scan *s, char *line, size_t len)
{
	char *p;

	if (len && line[len - 1] == '\r')
		line[--len] = '\0';
	if (len > LINE_MAX_BYTES)
		return complain(s, "a line of more than %d bytes", LINE_MAX_BYTES);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return complain(s, "a control character (byte %zu of the line is 0x%02x)",
					i + 1, c);
	}
	p = skip_blanks(line);
	cut_blanks(p);
	if (is_comment(p))
		return 0;
	return *p == '[' ? take_section(s, p) : take_key(s, p);
}

static must_check int take_lines(struct scan *s, const char *buf, size_t len)
{
	char line[LINE_MAX_BYTES + 2];
	int err = 0;

	for (s->line = 1; !err && len; s->line++) {
		const char *end = memchr(buf, '\n', len);
		size_t n = end ? (size_t)(end - buf) : len;
		size_t kept = min_t(size_t, n, sizeof(line) - 1);

		memcpy(line, buf, kept);
		line[kept] = '\0';
		err = take_line(s, line, kept);
		n += end != NULL;
		buf += n;
		len -= n;
	}
	return err;
}

int confscan(struct confscan *s, const char *buf, size_t len, bool (*may_repeat)(const char *name),
	     char *text, size_t size)
{
	struct scan scan = { .out = s, .may_repeat = may_repeat, .text = text, .size = size };
	int err;

	*s = (struct confscan){ 0 };
	scan.plain = open_memstream(&s->plain, &s->plain_bytes);
	if (!scan.plain)
		return -ENOMEM;
	err = take_lines(&scan, buf, len);
	if (fclose(scan.plain) != 0 && !err)
		err = -ENOMEM;
	return err;
}

void confscan_free(struct confscan *s)
{
	for (unsigned int i = 0; i < s->nr_sections; i++)
		free(s->section[i].name);
	for (unsigned int i = 0; i < s->nr_keys; i++)
		free(s->key[i].name);
	free(s->section);
	free(s->key);
	free(s->plain);
	*s = (struct confscan){ 0 };
}
