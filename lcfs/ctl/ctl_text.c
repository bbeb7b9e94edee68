// SPDX-License-Identifier: GPL-2.0-or-later
/* Text that grows. */
#include "lcfs/ctl/ctl_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

int ctl_text_printf(struct ctl_text *t, const char *format, ...)
{
	va_list args;
	int need, err;

	va_start(args, format);
	need = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (need < 0)
		return -EINVAL;
	err = text_reserve(t, (size_t)need);
	if (err)
		return err;
	va_start(args, format);
	vsnprintf(t->data + t->len, (size_t)need + 1, format, args);
	va_end(args);
	t->len += (size_t)need;
	return 0;
}

void ctl_text_free(struct ctl_text *t)
{
	free(t->data);
	*t = (struct ctl_text){ 0 };
}
