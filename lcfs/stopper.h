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

struct stopper {
	pthread_t thread;
	const char *mnt;
	struct session *session;
};

/* Keeps the signals for the stopper. Before any thread starts. */
void stopper_block_signals(void);
/* mnt and session outlive the stopper. -errno. */
int stopper_start(struct stopper *s, const char *mnt, struct session *session) must_check;
/* The session has ended: no signal does anything any more. */
void stopper_end(struct stopper *s);

#endif
