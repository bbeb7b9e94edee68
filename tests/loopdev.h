/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A loop device for a test: goes away by itself when its last descriptor is closed. */
#ifndef TESTS_LOOPDEV_H
#define TESTS_LOOPDEV_H

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct loopdev {
	char path[32];
	int fd; /* keeps it alive; does not hinder an exclusive open */
	unsigned int number;
};

/*
 * Of the file at path, which is made of so many bytes. -errno; -EPERM or -ENOENT where there
 * are none.
 */
static inline int loopdev_attach(struct loopdev *l, const char *file, off_t bytes)
{
	struct loop_config conf = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), err = 0;
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	l->fd = -1;
	if (ctl < 0 || fd < 0 || ftruncate(fd, bytes) < 0)
		err = -errno;
	for (int tries = 0; !err && l->fd < 0 && tries < 20; tries++) {
		int number = ioctl(ctl, LOOP_CTL_GET_FREE);

		if (number < 0) {
			err = -errno;
			break;
		}
		l->number = (unsigned int)number;
		snprintf(l->path, sizeof(l->path), "/dev/loop%u", l->number);
		conf.fd = (unsigned int)fd;
		l->fd = open(l->path, O_RDWR | O_CLOEXEC);
		/* Another process may have taken it meanwhile. */
		if (l->fd >= 0 && ioctl(l->fd, LOOP_CONFIGURE, &conf) < 0) {
			err = errno == EBUSY ? 0 : -errno;
			close(l->fd);
			l->fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	if (ctl >= 0)
		close(ctl);
	return l->fd < 0 && !err ? -EBUSY : err;
}

static inline void loopdev_detach(struct loopdev *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

#endif
