/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: writing JSON. Text is taken as UTF-8; a byte that is not becomes \udcXX, as in
 * Python's surrogateescape.
 */
#ifndef LCFS_TOOLS_LCCTL_JSON_H
#define LCFS_TOOLS_LCCTL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 8

/* All zero but for out at the start. */
struct json {
	FILE *out;
	bool is_compact; /* one line */
	unsigned int depth;
	bool has_member[JSON_DEPTH];
};

/* key: NULL in an array and outermost. Each open is paired with a close of the same kind. */
void json_open(struct json *j, const char *key, char bracket);	   /* '{' or '[' */
void json_close(struct json *j, char bracket);			   /* '}' or ']' */
void json_text(struct json *j, const char *key, const char *text); /* NULL: null */
void json_number(struct json *j, const char *key, uint64_t n);
void json_decimal(struct json *j, const char *key, double n, int digits);
void json_bool(struct json *j, const char *key, bool b);
void json_null(struct json *j, const char *key);
/* A newline at the end of it all. */
void json_end(struct json *j);

#endif
