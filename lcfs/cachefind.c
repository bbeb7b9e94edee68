// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding a cache by UUID or label: the super blocks of all block devices are read, without a lock
 * and without libblkid, which does not know them. A device that is a part of another one, which the
 * kernel calls its holder, is not asked: a mapping of the whole of it has the same first blocks.
 */
#include "lcfs/cachefind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "lcfs/io/uuid.h"
#include "lcfs/ondisk/codec.h"

struct wanted {
	bool by_uuid;
	uint8_t uuid[FORMAT_UUID_BYTES];
	const char *label;
};

static int fail(int err, char *text, size_t size, const char *format, ...) printf_like(4, 5);
static int fail(int err, char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return err;
}

static bool is_wanted(const struct superblock *sb, const struct wanted *w)
{
	if (w->by_uuid)
		return memcmp(sb->cache_uuid, w->uuid, sizeof(w->uuid)) == 0;
	return strcmp(sb->label, w->label) == 0;
}

/* UUID and label never change, so that any valid copy will do. */
static bool device_is_wanted(const char *path, const struct wanted *w)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t block[BLOCK_BYTES];
	struct superblock sb;

	for (int i = 0; fd >= 0 && i < SUPERBLOCK_COPIES; i++) {
		uint64_t address = SUPERBLOCK_ADDRESS(i);

		if (pread(fd, block, sizeof(block), (off_t)address) == (ssize_t)sizeof(block) &&
		    superblock_decode(&sb, block, address) == FORMAT_OK)
			return is_wanted(&sb, w);
	}
	return false;
}

/* Names in /proc/partitions have ! where those in /dev have a slash. */
static void device_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/dev/%s", name);
	for (char *p = path; *p; p++) {
		if (*p == '!')
			*p = '/';
	}
}

/* name: as /proc/partitions has it, which is what sysfs has. */
static bool has_holder(const char *name)
{
	char path[128];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/block/%s/holders", name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		found = found || entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return found;
}

/* How many block devices have it; the path of one. */
static int scan(const struct wanted *w, char *path, size_t size)
{
	FILE *f = fopen("/proc/partitions", "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	int found = 0;

	while (f && getline(&line, &room, f) > 0) {
		char name[64], candidate[80];

		if (sscanf(line, "%*u %*u %*u %63s", name) != 1)
			continue;
		device_path(candidate, sizeof(candidate), name);
		if (!has_holder(name) && device_is_wanted(candidate, w)) {
			snprintf(path, size, "%s", candidate);
			found++;
		}
	}
	if (f)
		fclose(f);
	return found;
}

int cachefind(const char *name, char **path, char *text, size_t size)
{
	struct wanted w = { 0 };
	char found[80];
	int nr;

	if (strncmp(name, "UUID=", 5) == 0) {
		w.by_uuid = true;
		if (uuid_parse(name + 5, w.uuid) < 0)
			return fail(-EINVAL, text, size, "cache=%s: this is no UUID", name);
	} else if (strncmp(name, "LABEL=", 6) == 0) {
		w.label = name + 6;
	} else {
		*path = strdup(name);
		return *path ? 0 : fail(-ENOMEM, text, size, "out of memory");
	}
	nr = scan(&w, found, sizeof(found));
	if (nr == 0)
		return fail(-ENOENT, text, size,
			    "cache=%s: no block device holds such a cache (files are not searched)",
			    name);
	if (nr > 1)
		return fail(-ENOTUNIQ, text, size,
			    "cache=%s: %d block devices hold such a cache, %s among them: give the "
			    "device instead",
			    name, nr, found);
	*path = strdup(found);
	return *path ? 0 : fail(-ENOMEM, text, size, "out of memory");
}
