/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcctl: to drain a whole mount. */
#ifndef LCFS_TOOLS_LCCTL_DRAIN_H
#define LCFS_TOOLS_LCCTL_DRAIN_H

#include <stdbool.h>

#include "lcfs/tools/lcctl_tree.h"

/* All images that are dirty now: EXIT_DONE if they are clean, else EXIT_FAILED, said. */
int drain_all(const struct tree *t, bool is_quiet) must_check;

#endif
