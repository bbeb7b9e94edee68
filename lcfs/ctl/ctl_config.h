/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a configuration file, as lcfs.conf(5) takes them. */
#ifndef LCFS_CTL_CTL_CONFIG_H
#define LCFS_CTL_CTL_CONFIG_H

#include <stdbool.h>

#include "common/compiler.h"

/*
 * "KEY = VALUE\n", with quotes or backslashes where VALUE needs them; or a comment that says so,
 * where it cannot be written in such a file. is_item: one of a list, as several lines give it. To
 * be freed; NULL: no memory.
 */
char *ctl_config_line(const char *key, const char *value, bool is_item) must_check;

#endif
