// SPDX-License-Identifier: GPL-2.0-or-later
/* Text that grows. */
#include "lcfs/ctl/ctl_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/utf8.h"

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

FILE *ctl_text_stream(struct ctl_text *t)
{
	return open_memstream(&t->data, &t->len);
}

int ctl_text_stream_end(struct ctl_text *t, FILE *stream)
{
	bool is_bad = ferror(stream);

	is_bad = fclose(stream) != 0 || is_bad;
	t->size = t->data ? t->len + 1 : 0;
	return is_bad ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------ quoting */

static void quote_ascii(struct ctl_text *t, enum ctl_quote q, unsigned char c)
{
	if (q != CTL_QUOTE_PLAIN && (c == '"' || c == '\\'))
		ctl_text_put(t, "\\%c", c);
	else if (q == CTL_QUOTE_METRIC && c == '\n')
		ctl_text_put(t, "\\n");
	else if (q == CTL_QUOTE_PLAIN && (c < 0x20 || c == 0x7f))
		ctl_text_put(t, "\\x%02x", c);
	else
		ctl_text_put(t, "%c", c);
}

void ctl_text_quote(struct ctl_text *t, enum ctl_quote q, const char *str)
{
	const char *end = str + strlen(str);

	while (str < end) {
		size_t len = utf8_length(str, (size_t)(end - str));
		unsigned char c = (unsigned char)*str;

		if (len > 1)
			ctl_text_put(t, "%.*s", (int)len, str);
		else if (len == 1)
			quote_ascii(t, q, c);
		else
			ctl_text_put(t, q == CTL_QUOTE_PLAIN ? "\\x%02x" : "\\\\x%02x", c);
		str += len ? len : 1;
	}
}

void ctl_text_free(struct ctl_text *t)
{
	free(t->data);
	*t = (struct ctl_text){ 0 };
}
