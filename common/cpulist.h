/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of processors, as the kernel writes them: "0-3,8". */
#ifndef COMMON_CPULIST_H
#define COMMON_CPULIST_H

#include <sched.h>

#include "common/compiler.h"

/*
 * Those of the file in *set. How many there are, at least 1; or -errno: -ERANGE: more than a set
 * holds (CPU_SETSIZE), -EINVAL: no such list.
 */
int cpulist_read(const char *path, cpu_set_t *set) must_check;

#endif
