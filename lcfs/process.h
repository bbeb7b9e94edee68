/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the serving process asks of the kernel for itself. */
#ifndef LCFS_PROCESS_H
#define LCFS_PROCESS_H

#include "common/compiler.h"

/*
 * Before there are threads. What is not granted is kept for process_warn(): lcfs works all the
 * same, but is less safe when memory runs short.
 */
void process_prepare(void);
/* When all else is in order: whoever has made a mistake hears of that alone. */
void process_warn(void);
/* As many descriptors as are allowed, before anything is opened; -EMFILE, said, for too few. */
int process_raise_fd_limit(void) must_check;

#endif
