// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What keeps others off a backing file while lcfs has it.
 *
 * qemu says what it does with an image by read locks on single bytes: byte 100 + n, it uses
 * permission n; byte 200 + n, it lets nobody else have permission n. Before it opens an image it
 * looks whether somebody has locked a byte that contradicts. lcfs reads (0), writes (1) and resizes
 * (3), and lets nobody else write or resize.
 */
#include "lcfs/image/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "common/align.h"
#include "common/messages.h"
#include "lcfs/image/pathname.h"

#define MARK_NAME GUARD_XATTR_PREFIX "dirty"

#define QEMU_USES(perm) (100 + (perm))
#define QEMU_DENIES(perm) (200 + (perm))
#define QEMU_READ 0
#define QEMU_WRITE 1
#define QEMU_RESIZE 3

/* Held for writing, so that it excludes another lcfs. Far from every byte that means something to
 * others. */
#define OWN_BYTE(which) ((off_t)(INT64_C(1) << 62) + (off_t)(which))

int guard_mark_set(int fd, const uint8_t *cache_uuid)
{
	char text[UUID_TEXT_BYTES];

	uuid_text(cache_uuid, text);
	return fsetxattr(fd, MARK_NAME, text, strlen(text), 0) < 0 ? -errno : 0;
}

int guard_mark_get(int fd, uint8_t *cache_uuid)
{
	char text[UUID_TEXT_BYTES + 1], link[PATHNAME_LINK_BYTES];
	ssize_t n;

	pathname_magic_link(fd, link);
	n = getxattr(link, MARK_NAME, text, sizeof(text) - 1);
	if (n < 0)
		return errno == ERANGE ? -EINVAL : -errno;
	text[n] = '\0';
	return uuid_parse(text, cache_uuid);
}

bool guard_is_marked_by(int fd, const uint8_t *cache_uuid)
{
	uint8_t uuid[UUID_BYTES];

	return guard_mark_get(fd, uuid) == 0 && memcmp(uuid, cache_uuid, sizeof(uuid)) == 0;
}

int guard_mark_clear(int fd)
{
	if (fremovexattr(fd, MARK_NAME) == 0 || errno == ENODATA)
		return 0;
	return -errno;
}

static int lock_byte(int fd, int cmd, short type, off_t byte)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (fcntl(fd, cmd, &l) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	return cmd == F_OFD_GETLK && l.l_type != F_UNLCK ? 1 : 0;
}

int guard_lock(int fd, enum guard_descriptor which)
{
	static const off_t shared[] = { QEMU_USES(QEMU_READ), QEMU_USES(QEMU_WRITE),
					QEMU_USES(QEMU_RESIZE), QEMU_DENIES(QEMU_WRITE),
					QEMU_DENIES(QEMU_RESIZE) };
	int r = lock_byte(fd, F_OFD_SETLK, F_WRLCK, OWN_BYTE(which));

	if (r == -EAGAIN)
		return r;
	for (size_t i = 0; r == 0 && i < array_size(shared); i++)
		r = lock_byte(fd, F_OFD_SETLK, F_RDLCK, shared[i]);
	if (r < 0)
		msg_debug("backing file: it cannot be locked against other programs: %s",
			  strerror(-r));
	return 0;
}

bool guard_is_foreign(int fd)
{
	static const off_t contradicts[] = { QEMU_USES(QEMU_WRITE), QEMU_USES(QEMU_RESIZE),
					     QEMU_DENIES(QEMU_READ), QEMU_DENIES(QEMU_WRITE),
					     QEMU_DENIES(QEMU_RESIZE) };

	/* a dead lcfs has these, too, for as long as its last writes are under way: guard_lock()
	 * tells */
	if (lock_byte(fd, F_OFD_GETLK, F_WRLCK, OWN_BYTE(GUARD_BUFFERED)) == 1 ||
	    lock_byte(fd, F_OFD_GETLK, F_WRLCK, OWN_BYTE(GUARD_DIRECT)) == 1)
		return false;
	for (size_t i = 0; i < array_size(contradicts); i++)
		if (lock_byte(fd, F_OFD_GETLK, F_WRLCK, contradicts[i]) == 1)
			return true;
	return false;
}
