/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a text JSON? As strict as can be: numbers are whole and not negative, and it is UTF-8. */
#ifndef TESTS_CHECK_JSON_H
#define TESTS_CHECK_JSON_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static inline const char *check_json_value(const char *p);

static inline const char *check_json_skip(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* Behind the string at p, or NULL. */
static inline const char *check_json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		size_t n = utf8_length(p, strlen(p));

		if (n == 0 || (unsigned char)*p < 0x20)
			return NULL;
		p += n - 1;
		if (n > 1 || *p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			/* no half of a pair: nobody here has reason to write one */
			if (strspn(p + 1, "0123456789abcdefABCDEF") < 4 || strchr("dD", p[1]))
				return NULL;
			p += 4;
		} else if (!*p || !strchr("\"\\/bfnrt", *p)) {
			return NULL;
		}
	}
	return p + 1;
}

static inline const char *check_json_items(const char *p, char end, bool has_keys)
{
	p = check_json_skip(p + 1);
	if (*p == end)
		return p + 1;
	for (;; p++) {
		p = check_json_skip(p);
		if (has_keys) {
			p = check_json_string(p);
			if (!p || *check_json_skip(p) != ':')
				return NULL;
			p = check_json_skip(p) + 1;
		}
		p = check_json_value(p);
		if (!p)
			return NULL;
		p = check_json_skip(p);
		if (*p == end)
			return p + 1;
		if (*p != ',')
			return NULL;
	}
}

static inline const char *check_json_value(const char *p)
{
	char *end;

	p = check_json_skip(p);
	if (*p == '{')
		return check_json_items(p, '}', true);
	if (*p == '[')
		return check_json_items(p, ']', false);
	if (*p == '"')
		return check_json_string(p);
	if (strncmp(p, "null", 4) == 0 || strncmp(p, "true", 4) == 0)
		return p + 4;
	if (strncmp(p, "false", 5) == 0)
		return p + 5;
	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return NULL;
	(void)strtoull(p, &end, 10);
	return end;
}

static inline void assert_json(const char *text)
{
	const char *end = check_json_value(text);

	ck_assert_msg(end != NULL, "no JSON: %s", text);
	ck_assert_msg(*check_json_skip(end) == '\0', "behind the JSON: %s", end);
}

#endif
