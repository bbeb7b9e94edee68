/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is mounted where, from /proc/self/mountinfo. Nothing is touched there, so nothing can hang.
 */
#ifndef COMMON_MOUNTINFO_H
#define COMMON_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

#define MOUNTINFO_TEXT_MAX 1024

struct mountinfo {
	dev_t dev;
	bool is_lcfs;
	char where[MOUNTINFO_TEXT_MAX]; /* cut if it is longer */
	char source[MOUNTINFO_TEXT_MAX];
};

/* The newest mount on the path (absolute, without symlinks): false if there is none. */
bool mountinfo_at(const char *path, struct mountinfo *m);
/* A mount of the filesystem that stat(2) shows as dev. */
bool mountinfo_of_device(dev_t dev, struct mountinfo *m);
/* One line, which is taken apart. False: it is none. */
bool mountinfo_parse(char *line, struct mountinfo *m);
/* All mounts, the oldest first, until fn returns false. m is valid during the call only. */
void mountinfo_for_each(bool (*fn)(const struct mountinfo *m, void *arg), void *arg);

#endif
