/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of a backing file that become zero. */
#ifndef LCFS_IMAGE_ZEROS_H
#define LCFS_IMAGE_ZEROS_H

#include <stdint.h>

#include "common/compiler.h"

/*
 * [off, off + len) of the file open at fd reads as zeros, by the cheapest way that its filesystem
 * has; its size stays. Blocks. 0 or -errno.
 */
int zeros_punch(int fd, uint64_t off, uint64_t len) must_check;

#endif
