// SPDX-License-Identifier: GPL-2.0-or-later
/* The end by signal: one thread that waits for them. */
#include "lcfs/stopper.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/messages.h"
#include "lcfs/fuse/mount.h"
#include "lcfs/fuse/session.h"
#include "lcfs/watch.h"

#define SIGNAL_END SIGUSR1 /* from stopper_end() */

static void stopper_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGNAL_END);
}

/* The first signal. */
static void stopper_unmount(const struct stopper *s)
{
	int err;

	watch_stopping(s->watch);
	err = fuseumount(s->mnt, false);
	if (err == -EBUSY) {
		msg_warn("%s: in use; it is unmounted when the last user lets go (a second signal "
			 "does not wait for them)",
			 s->mnt);
		err = fuseumount(s->mnt, true);
	}
	if (err)
		msg_err("%s: cannot be unmounted: %s", s->mnt, strerror(-err));
}

static void *stopper_run(void *arg)
{
	struct stopper *s = arg;
	int signal, seen = 0;
	sigset_t set;

	stopper_signals(&set);
	while (sigwait(&set, &signal) == 0 && signal != SIGNAL_END) {
		struct session *session = atomic_load(&s->session);

		if (!session)
			_exit(EXIT_FAILURE);
		if (seen++ == 0)
			stopper_unmount(s);
		else
			session_stop(session);
	}
	return NULL;
}

int stopper_start(struct stopper *s, const char *mnt, struct watch *watch)
{
	sigset_t set;

	s->mnt = mnt;
	s->watch = watch;
	atomic_init(&s->session, NULL);
	stopper_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return -pthread_create(&s->thread, NULL, stopper_run, s);
}

void stopper_serving(struct stopper *s, struct session *session)
{
	atomic_store(&s->session, session);
}

void stopper_end(struct stopper *s)
{
	pthread_kill(s->thread, SIGNAL_END);
	pthread_join(s->thread, NULL);
}
