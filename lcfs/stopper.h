/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end by signal. SIGTERM, SIGINT and SIGHUP unmount; where the mount is in use, it goes out of
 * the tree at once and lcfs ends when its last user does. A second signal ends it without waiting
 * for them.
 */
#ifndef LCFS_STOPPER_H
#define LCFS_STOPPER_H

#include <pthread.h>
#include <stdbool.h>

#include "common/compiler.h"

struct session;
struct watch;

struct stopper {
	pthread_t thread;
	const char *mnt;
	struct watch *watch;
	_Atomic(struct session *) session; /* NULL: the mount does not serve yet */
};

/*
 * Before any other thread starts, since they inherit that the signals are not for them. Until
 * stopper_serving() a signal ends the process at once, which recovery does not mind. mnt and
 * watch, which hears of the first signal, outlive the stopper. -errno.
 */
int stopper_start(struct stopper *s, const char *mnt, struct watch *watch) must_check;
/* From here on a signal unmounts. */
void stopper_serving(struct stopper *s, struct session *session);
/* The session has ended and is not touched any more: no signal does anything any more. */
void stopper_end(struct stopper *s);

#endif
