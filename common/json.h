/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing JSON.
 *
 * What comes out is UTF-8 whatever the text is: a byte that does not belong to a character of UTF-8
 * is written as the four characters \xHH, so that names that differ still do. Errors of the stream
 * are found by whoever closes it.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

/* All zero but for out and lines at the start. */
struct json {
	FILE *out;
	/* Members down to this depth begin a line, deeper ones go on with it; JSON_DEPTH: all. */
	unsigned int lines;
	unsigned int depth;
	bool has_member[JSON_DEPTH + 1];
};

/* key: NULL in an array and outermost. Each open is paired with a close of the same kind. */
void json_open(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);		       /* '}' or ']' */
/* NULL: null. */
void json_text(struct json *j, const char *key, const char *text);
/* The same, and it may have NULs. */
void json_bytes(struct json *j, const char *key, const char *text, size_t bytes);
void json_number(struct json *j, const char *key, uint64_t n);
void json_signed(struct json *j, const char *key, int64_t n);
void json_decimal(struct json *j, const char *key, double n, int digits);
void json_bool(struct json *j, const char *key, bool b);
void json_null(struct json *j, const char *key);
/* A newline at the end of it all; another one may follow. */
void json_end(struct json *j);

#endif
