// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process that mounts and the process that serves, and the link between them: a socket pair of
 * whole messages. The child sends requests, the parent answers LINK_MOUNT with an error or with the
 * descriptors; when the child ends, the parent reads the end of the link.
 */
#include "lcfs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/align.h"
#include "common/messages.h"

enum link_request {
	LINK_MOUNT,
	LINK_SERVING,
};

struct link_message {
	int32_t request; /* child: enum link_request; parent: 0 or -errno */
	uint32_t count;	 /* clones wanted, or descriptors behind */
};

/* ------------------------------------------------------------------ the link */

#define FDS_MAX (1 + DAEMON_CLONES_MAX)

union fds_control {
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static must_check int link_send(int link, const struct link_message *m, const int *fds,
				unsigned int nr)
{
	union fds_control control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
	}
	return sendmsg(link, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * 0, -EPIPE at the end, -EINTR after a signal. The descriptors received go to fds (room for
 * FDS_MAX).
 */
static must_check int link_receive(int link, struct link_message *m, int *fds, unsigned int *nr)
{
	union fds_control control;
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(link, &msg, MSG_CMSG_CLOEXEC);

	*nr = 0;
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(*m))
		return -EPIPE;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*nr = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *nr * sizeof(int));
	}
	return 0;
}

/* ------------------------------------------------------------------ mounting */

static void close_fds(struct daemon *d)
{
	for (unsigned int i = 0; i < d->nr_clones; i++)
		close(d->clone[i]);
	d->nr_clones = 0;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

/* Mounts in this process. */
static must_check int mount_here(struct daemon *d, unsigned int nr_clones)
{
	char text[512];
	int err = fusemount(d->mount, &d->fd, text, sizeof(text));

	if (err) {
		msg_err("%s", text);
		return err;
	}
	d->is_mounted = true;
	while (d->nr_clones < min_t(unsigned int, nr_clones, DAEMON_CLONES_MAX)) {
		int fd = fuseclone(d->fd);

		if (fd < 0)
			break;
		d->clone[d->nr_clones++] = fd;
	}
	return 0;
}

static void unmount_here(struct daemon *d)
{
	if (d->is_mounted && fuseumount(d->mount->mnt, true) < 0)
		msg_warn("%s: could not be unmounted again", d->mount->mnt);
	d->is_mounted = false;
}

/* ------------------------------------------------------------------ the parent */

static volatile sig_atomic_t parent_signal;

static void parent_on_signal(int signal)
{
	parent_signal = signal;
}

/* A signal to the parent while it waits is meant for the child. */
static void parent_catch_signals(void)
{
	struct sigaction action = { .sa_handler = parent_on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static void parent_mount(struct daemon *d, unsigned int nr_clones)
{
	struct link_message answer = { .request = mount_here(d, nr_clones) };
	int fds[FDS_MAX];

	if (!answer.request) {
		fds[0] = d->fd;
		memcpy(&fds[1], d->clone, d->nr_clones * sizeof(int));
		answer.count = 1 + d->nr_clones;
	}
	if (link_send(d->link, &answer, fds, answer.count) < 0)
		msg_debug("the daemon has gone while it was mounted");
}

static void parent_say_end(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return;
	}
	if (WIFSIGNALED(status) && !parent_signal)
		msg_err("the daemon died by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else if (parent_signal)
		msg_err("interrupted before the mount was there");
}

noreturn_ static void parent_run(struct daemon *d, pid_t child, int failure_status)
{
	parent_catch_signals();
	for (;;) {
		struct link_message m;
		unsigned int nr;
		int fds[FDS_MAX];
		int err = link_receive(d->link, &m, fds, &nr);

		if (err == -EINTR) {
			kill(child, SIGTERM);
			continue;
		}
		if (err)
			break;
		if (m.request == LINK_SERVING)
			exit(EXIT_SUCCESS);
		parent_mount(d, m.count);
	}
	parent_say_end(child);
	unmount_here(d);
	exit(failure_status);
}

/* ------------------------------------------------------------------ the child */

/* Leaves what belongs to the caller's terminal, but for standard error. */
static must_check int detach(void)
{
	int null;

	if (setsid() < 0 || chdir("/") < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) {
		int err = -errno;

		close(null);
		return err;
	}
	close(null);
	return 0;
}

int daemon_start(struct daemon *d, const struct fusemount_conf *mount, bool is_foreground,
		 int failure_status)
{
	int pair[2], err;
	pid_t child;

	*d = (struct daemon){ .mount = mount, .link = -1, .fd = -1 };
	prctl(PR_SET_NAME, DAEMON_SERVING);
	if (is_foreground)
		return chdir("/") < 0 ? -errno : 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	child = fork();
	if (child < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	d->link = pair[child == 0];
	close(pair[child != 0]);
	if (child > 0)
		parent_run(d, child, failure_status);
	return detach();
}

static must_check int mount_by_parent(struct daemon *d, unsigned int nr_clones)
{
	struct link_message m = { .request = LINK_MOUNT, .count = nr_clones };
	int fds[FDS_MAX];
	unsigned int nr = 0;
	int err = link_send(d->link, &m, NULL, 0);

	while (!err) {
		err = link_receive(d->link, &m, fds, &nr);
		if (err != -EINTR)
			break;
		err = 0;
	}
	if (err || m.request || nr == 0) {
		while (nr)
			close(fds[--nr]);
		return err ? err : (m.request < 0 ? m.request : -EPROTO);
	}
	d->fd = fds[0];
	d->nr_clones = nr - 1;
	memcpy(d->clone, &fds[1], d->nr_clones * sizeof(int));
	return 0;
}

int daemon_mount(struct daemon *d, unsigned int nr_clones)
{
	return d->link < 0 ? mount_here(d, nr_clones) : mount_by_parent(d, nr_clones);
}

int daemon_serving(struct daemon *d)
{
	struct link_message m = { .request = LINK_SERVING };
	int err;

	if (d->link < 0)
		return 0;
	err = link_send(d->link, &m, NULL, 0);
	close(d->link);
	d->link = -1;
	if (err)
		return err;
	msg_to_syslog();
	return dup2(STDOUT_FILENO, STDERR_FILENO) < 0 ? -errno : 0;
}

void daemon_end(struct daemon *d, bool has_failed)
{
	close_fds(d);
	if (has_failed)
		unmount_here(d);
	if (d->link >= 0)
		close(d->link);
	d->link = -1;
}
