/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcfs/ctl/: text that grows. All zero at the start. */
#ifndef LCFS_CTL_CTL_TEXT_H
#define LCFS_CTL_CTL_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "common/compiler.h"

struct ctl_text {
	char *data; /* NULL or terminated */
	size_t len; /* without the NUL */
	size_t size;
	int error; /* 0, or the first -errno of ctl_text_put() and ctl_text_quote() */
};

/* 0, or -ENOMEM with nothing changed. */
int ctl_text_printf(struct ctl_text *t, const char *format, ...) printf_like(2, 3) must_check;
/* The same for long texts: an error stays in t->error, and nothing is added any more. */
void ctl_text_put(struct ctl_text *t, const char *format, ...) printf_like(2, 3);
/* Instead: of an empty text, what is written to the stream until its end. NULL: no memory. */
FILE *ctl_text_stream(struct ctl_text *t) must_check;
int ctl_text_stream_end(struct ctl_text *t, FILE *stream) must_check;

enum ctl_quote {
	CTL_QUOTE_METRIC, /* inside of an OpenMetrics label value */
	CTL_QUOTE_PLAIN,  /* one word or more in a line of text */
};
/*
 * Any bytes as text of one line in UTF-8: what is not UTF-8 is written as \xHH, and so are control
 * characters in PLAIN.
 */
void ctl_text_quote(struct ctl_text *t, enum ctl_quote q, const char *str);
void ctl_text_free(struct ctl_text *t);

#endif
