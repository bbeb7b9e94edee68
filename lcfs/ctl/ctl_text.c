// SPDX-License-Identifier: GPL-2.0-or-later
/* Text that grows. */
#include "lcfs/ctl/ctl_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/align.h"

#define GROW 256

/* Room for need bytes more and a NUL. */
static must_check int text_reserve(struct ctl_text *t, size_t need)
{
	size_t size = t->len + need + 1;
	char *data;

	if (size <= t->size)
		return 0;
	size += size / 2 + GROW;
	data = realloc(t->data, size);
	if (!data)
		return -ENOMEM;
	t->data = data;
	t->size = size;
	return 0;
}

static int text_vprintf(struct ctl_text *t, const char *format, va_list args) printf_like(2, 0);

static int text_vprintf(struct ctl_text *t, const char *format, va_list args)
{
	size_t room = t->size - t->len;
	va_list again;
	int need, err;

	va_copy(again, args);
	need = vsnprintf(t->data ? t->data + t->len : NULL, t->data ? room : 0, format, args);
	if (need < 0) {
		err = -EINVAL;
	} else if (t->data && (size_t)need < room) {
		err = 0;
	} else {
		err = text_reserve(t, (size_t)need);
		if (!err)
			vsnprintf(t->data + t->len, (size_t)need + 1, format, again);
	}
	va_end(again);
	if (!err)
		t->len += (size_t)need;
	else if (t->data)
		t->data[t->len] = '\0';
	return err;
}

int ctl_text_printf(struct ctl_text *t, const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = text_vprintf(t, format, args);
	va_end(args);
	return err;
}

void ctl_text_put(struct ctl_text *t, const char *format, ...)
{
	va_list args;

	if (t->error)
		return;
	va_start(args, format);
	t->error = text_vprintf(t, format, args);
	va_end(args);
}

/* ------------------------------------------------------------------ quoting */

/* Bytes of the UTF-8 character at s: shortest form, no surrogate, at most U+10FFFF. 0: none. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char low, high;   /* first byte */
		unsigned char least, most; /* second byte */
		unsigned char length;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < array_size(forms); i++) {
		if (s[0] < forms[i].low || s[0] > forms[i].high)
			continue;
		if (forms[i].length > 1 && (s[1] < forms[i].least || s[1] > forms[i].most))
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static void quote_ascii(struct ctl_text *t, enum ctl_quote q, unsigned char c)
{
	if (q != CTL_QUOTE_PLAIN && (c == '"' || c == '\\'))
		ctl_text_put(t, "\\%c", c);
	else if (q == CTL_QUOTE_METRIC && c == '\n')
		ctl_text_put(t, "\\n");
	else if (q == CTL_QUOTE_JSON && c < 0x20)
		ctl_text_put(t, "\\u%04x", c);
	else if (q == CTL_QUOTE_PLAIN && (c < 0x20 || c == 0x7f))
		ctl_text_put(t, "\\x%02x", c);
	else
		ctl_text_put(t, "%c", c);
}

void ctl_text_quote(struct ctl_text *t, enum ctl_quote q, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;

	while (*s) {
		size_t len = utf8_length(s);

		if (len > 1)
			ctl_text_put(t, "%.*s", (int)len, (const char *)s);
		else if (len == 1)
			quote_ascii(t, q, *s);
		else
			ctl_text_put(t, q == CTL_QUOTE_PLAIN ? "\\x%02x" : "\\\\x%02x", *s);
		s += len ? len : 1;
	}
}

void ctl_text_free(struct ctl_text *t)
{
	free(t->data);
	*t = (struct ctl_text){ 0 };
}
