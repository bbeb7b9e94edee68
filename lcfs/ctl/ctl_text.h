/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcfs/ctl/: text that grows. All zero at the start. */
#ifndef LCFS_CTL_CTL_TEXT_H
#define LCFS_CTL_CTL_TEXT_H

#include <stddef.h>

#include "common/compiler.h"

struct ctl_text {
	char *data; /* NULL or terminated */
	size_t len; /* without the NUL */
	size_t size;
};

/* 0, or -ENOMEM with nothing changed. */
int ctl_text_printf(struct ctl_text *t, const char *format, ...) printf_like(2, 3) must_check;
void ctl_text_free(struct ctl_text *t);

#endif
