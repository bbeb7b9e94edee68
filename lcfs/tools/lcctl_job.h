/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: writing a control file that answers when its work is done, with progress shown
 * meanwhile.
 *
 * A process that waits in a FUSE request cannot be interrupted. So a child writes and lcctl
 * watches: ^C ends lcctl at once, and what it had asked for goes on in the daemon.
 */
#ifndef LCFS_TOOLS_LCCTL_JOB_H
#define LCFS_TOOLS_LCCTL_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "lcfs/tools/lcctl_tree.h"

struct job {
	pid_t pid;
	int fd; /* where its result comes from */
};

/* From now on SIGINT, SIGTERM and SIGHUP end waits, and job_is_interrupted() says so. */
void job_catch_signals(void);
bool job_is_interrupted(void);

/* Starts to write the value: 0 or -errno. */
int job_start(struct job *j, const struct tree *t, const char *value, const char *path, ...)
	printf_like(4, 5) must_check;
/* Waits for at most ms (less if interrupted). True: it has ended, with *result 0 or -errno. */
bool job_wait(struct job *j, int ms, int *result) must_check;
/* Waits until it has ended, as job_wait(). False: interrupted, and it is left to itself. */
bool job_finish(struct job *j, int *result) must_check;
/* Leaves it to itself. */
void job_abandon(struct job *j);

/* For ms; less if interrupted. */
void job_pause(int ms);

#endif
