/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a device or a file? For messages only: what is found may be out of date at once. */
#ifndef LCFS_IO_HOLDER_H
#define LCFS_IO_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * Both: path is the name by which it was opened, st what stands there. The phrase names a process
 * as "pid N (command)". No descriptor of another process is followed, so that a filesystem that
 * hangs somewhere hangs nobody here; a file that was opened by another name may go unfound.
 */

/*
 * A phrase about a block device: a mount or swap of it or of one of its partitions, a device
 * stacked on it, a process that has it open. *is_kernel is set when it is one of the first three,
 * which will not go away by waiting for a process. False if nothing was found.
 */
bool holder_of_device(const char *path, const struct stat *st, char *text, size_t size,
		      bool *is_kernel);
/* A phrase about who holds the flock of the file. */
bool holder_of_lock(const char *path, const struct stat *st, char *text, size_t size);

#endif
