/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lcctl apply and lcctl export: the dirty data of a cache goes into files, without a mount.
 *
 * argv[0] is the verb. Both print what they do to standard output and what is wrong to standard
 * error, and return the exit status: 0 all of it is there, 1 not all, or nothing, 2 wrong usage.
 */
#ifndef LCFS_TOOLS_OFFLINE_APPLY_H
#define LCFS_TOOLS_OFFLINE_APPLY_H

#include <stdbool.h>

#include "common/compiler.h"

enum {
	OFFLINE_DONE = 0,
	OFFLINE_FAILED = 1,
	OFFLINE_USAGE = 2,
};

/* apply [OPTION]... CACHE DIR: into the backing files under DIR */
int lcctl_apply_main(int argc, char **argv);
/* export [OPTION]... CACHE FILE|DIR: into new, sparse files */
int lcctl_export_main(int argc, char **argv);

struct apply_options {
	const char *cache, *dir;
	bool is_forced, is_dry, ignore_lost, is_quiet;
};

/* offline_apply.c: the cache does not change. 0, or -errno with the reasons said. */
int offline_apply(const struct apply_options *o) must_check;
/*
 * offline_drain.c: as a mount would migrate all, after which the cache says that it is clean. Needs
 * the directory that the cache belongs to.
 */
int offline_drain(const struct apply_options *o) must_check;

struct export_options {
	const char *cache, *target;
	const char *image; /* path or number; NULL: all */
	bool is_forced, ignore_lost, is_quiet;
	bool accept_damage; /* of a damaged log, what is before the damage */
	bool is_list;	    /* say which ranges of the files are data from the cache */
};

/* offline_export.c: the cache does not change. 0, or -errno with the reasons said. */
int offline_export(const struct export_options *o) must_check;

#endif
