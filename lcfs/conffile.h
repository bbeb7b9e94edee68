/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file: a section for each mount point, whose keys are the words of -o. What the
 * command line says counts more. lcfs.conf(5) describes it for people.
 */
#ifndef LCFS_CONFFILE_H
#define LCFS_CONFFILE_H

#include <stddef.h>

#include "common/compiler.h"

struct options;

/*
 * Adds to *o what the section of o->mnt says, if there is one. The whole file is checked first: it
 * must not be writable for everybody, all of it must be well formed and all values possible. That
 * there is no file is in order unless the command line names one. 0, or -errno with one line in
 * text (size bytes) that has the file and, where there is one, the number of the line. One thread.
 */
int conffile_apply(struct options *o, char *text, size_t size) must_check;

/* The same for the content of a file, whose name is for messages only. */
int conffile_apply_text(struct options *o, const char *file, const char *buf, size_t len,
			char *text, size_t size) must_check;

#endif
