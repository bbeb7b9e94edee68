/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that holds the shared RAM buffers, so that they outlive the process that filled them.
 *
 * It lies in /run/lcfs for root and in $XDG_RUNTIME_DIR/lcfs else, both gone after a boot, named by
 * the cache's UUID. It is private to its owner, allocated in full (so that no access can fail for
 * want of space), faulted in, locked in RAM where the limits allow it, and held by a flock. What
 * stands in it is the core's.
 *
 * Who opens or creates one holds the lock of the cache device already, so that two do not meet
 * here but by mistake. One thread.
 */
#ifndef LCFS_IO_POOLFILE_H
#define LCFS_IO_POOLFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/uuid.h"

struct poolfile;

/*
 * The directory: its path goes to path (size bytes). Nothing is made. -ENOENT when there is none
 * to be had (not root and XDG_RUNTIME_DIR is not set), -ENAMETOOLONG; with one line in text.
 */
int poolfile_directory(char *path, size_t path_size, char *text, size_t size) must_check;

/*
 * All below: dir NULL stands for poolfile_directory(). -errno with one line in text (size bytes).
 * -EBUSY: another process holds it; -EPERM: directory or file is not the caller's own, private one.
 */

/* The existing file: -ENOENT if there is none. Contents as the last owner left them. */
int poolfile_open(struct poolfile **out, const char *dir, const uint8_t uuid[UUID_BYTES],
		  char *text, size_t size) must_check;
/*
 * The same for reading only, without the lock, neither faulted in nor locked: to see what
 * stands there.
 */
int poolfile_peek(struct poolfile **out, const char *dir, const uint8_t uuid[UUID_BYTES],
		  char *text, size_t size) must_check;
/*
 * A new file of so many bytes (rounded up to 4096), all zero, there when it is whole. Makes the
 * directory. -EEXIST if there is one: open it, and set it aside when it is stale. -ENOSPC: it does
 * not fit.
 */
int poolfile_create(struct poolfile **out, const char *dir, const uint8_t uuid[UUID_BYTES],
		    uint64_t bytes, char *text, size_t size) must_check;

/* Aligned to 4096; read only after poolfile_peek(). */
void *poolfile_memory(const struct poolfile *p);
uint64_t poolfile_bytes(const struct poolfile *p);
const char *poolfile_path(const struct poolfile *p);
/* 0, or why it is not locked in RAM (-errno): worth a warning. */
int poolfile_lock_error(const struct poolfile *p);
/*
 * Is the filesystem it lies on kept in RAM? Else the disk below slows each write: worth a
 * warning.
 */
bool poolfile_is_in_ram(const struct poolfile *p);

/* Unmaps and unlocks; the file stays for the next. NULL is allowed. */
void poolfile_close(struct poolfile *p);
/* The same, and the file goes away: after a clean end only. */
int poolfile_remove(struct poolfile *p) must_check;
/* The same, and the file is renamed to NAME.stale-SECONDS; those set aside earlier are removed. */
int poolfile_set_aside(struct poolfile *p, char *text, size_t size) must_check;

#endif
