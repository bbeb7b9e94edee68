// SPDX-License-Identifier: GPL-2.0-or-later
/* Mounting and unmounting: mount(2), or fusermount3 and its protocol. */
#include "lcfs/fuse/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "lcfs/fuse/proto.h"

#define HELPER "fusermount3"
#define OPTIONS_MAX 8192

static int fail(char *text, size_t size, int error, const char *format, ...) printf_like(4, 5);

static int fail(char *text, size_t size, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return error;
}

static const char *reason(int error)
{
	switch (error) {
	case -ENODEV:
		return "the kernel has no FUSE (modprobe fuse)";
	case -EPERM:
		return "not permitted here (in a container: it needs CAP_SYS_ADMIN and /dev/fuse)";
	case -EBUSY:
		return "in use";
	default:
		return strerror(-error);
	}
}

static int mount_as_root(const struct fusemount_conf *conf, mode_t rootmode, int *out, char *text,
			 size_t size)
{
	CLEANUP_FD int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char data[256];

	if (fd < 0)
		return fail(text, size, -errno, "/dev/fuse: %s",
			    errno == ENOENT ? "not there: the kernel has no FUSE (modprobe fuse)" :
					      strerror(errno));
	snprintf(data, sizeof(data), "fd=%d,rootmode=%o,user_id=%u,group_id=%u%s%s", fd,
		 rootmode & S_IFMT, (unsigned int)geteuid(), (unsigned int)getegid(),
		 conf->default_permissions ? ",default_permissions" : "",
		 conf->allow_other ? ",allow_other" : "");
	if (mount(conf->fsname, conf->mnt, "fuse.lcfs", conf->flags, data) < 0) {
		int error = -errno;

		return fail(text, size, error, "%s: cannot mount: %s", conf->mnt, reason(error));
	}
	*out = steal_fd(&fd);
	return 0;
}

/* Appends name=value to the options, with what would end it escaped. False: too long. */
static bool add_string(char *options, const char *name, const char *value)
{
	size_t at = strlen(options);
	int n = snprintf(options + at, OPTIONS_MAX - at, ",%s=", name);

	at += (size_t)n;
	for (; *value; value++) {
		if (at + 3 > OPTIONS_MAX)
			return false;
		if (*value == ',' || *value == '\\')
			options[at++] = '\\';
		options[at++] = *value;
	}
	options[at] = 0;
	return true;
}

static void add_flags(char *options, const struct fusemount_conf *conf)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} names[] = {
		{ MS_NOSUID, ",nosuid" },    { MS_NODEV, ",nodev" },	 { MS_NOEXEC, ",noexec" },
		{ MS_SYNCHRONOUS, ",sync" }, { MS_DIRSYNC, ",dirsync" }, { MS_NOATIME, ",noatime" },
	};

	strcat(options, conf->flags & MS_RDONLY ? "ro" : "rw");
	for (size_t i = 0; i < array_size(names); i++) {
		if (conf->flags & names[i].flag)
			strcat(options, names[i].name);
	}
	if (conf->default_permissions)
		strcat(options, ",default_permissions");
	if (conf->allow_other)
		strcat(options, ",allow_other");
}

/*
 * The child of a fork(): does not return. errors: what the helper writes to standard error goes
 * there.
 */
static noreturn_ void run_helper(const char *const *argv, int channel, int errors)
{
	char number[16];

	if (channel >= 0) {
		snprintf(number, sizeof(number), "%d", channel);
		setenv("_FUSE_COMMFD", number, 1);
		fcntl(channel, F_SETFD, 0);
	}
	dup2(errors, STDERR_FILENO);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s: %s (Debian: package fuse3)\n", argv[0], strerror(errno));
	_exit(127);
}

/* Reads the helper's first line of complaint and waits for it. 0 or -errno. */
static int helper_result(pid_t pid, int errors, char *text, size_t size)
{
	char buf[512];
	size_t used = 0;
	ssize_t n;
	int status;

	while ((n = read(errors, buf + used, sizeof(buf) - 1 - used)) > 0)
		used += (size_t)n;
	buf[used] = 0;
	buf[strcspn(buf, "\n")] = 0;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return fail(text, size, strstr(buf, "busy") ? -EBUSY : -EPERM, "%s",
		    buf[0] ? buf : HELPER " failed");
}

static int receive_fd(int channel)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(channel, &msg, MSG_CMSG_CLOEXEC) <= 0 || !CMSG_FIRSTHDR(&msg) ||
	    CMSG_FIRSTHDR(&msg)->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int call_helper(const char *const *argv, int channel, char *text, size_t size)
{
	int errors[2], error;
	pid_t pid;

	if (pipe2(errors, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run_helper(argv, channel, errors[1]);
	close(errors[1]);
	error = pid < 0 ? -errno : helper_result(pid, errors[0], text, size);
	close(errors[0]);
	return error;
}

static int mount_by_helper(const struct fusemount_conf *conf, int *out, char *text, size_t size)
{
	char options[OPTIONS_MAX] = "";
	const char *argv[] = { HELPER, "-o", options, "--", conf->mnt, NULL };
	int pair[2], fd, error;

	add_flags(options, conf);
	if (!add_string(options, "fsname", conf->fsname) || !add_string(options, "subtype", "lcfs"))
		return fail(text, size, -ENAMETOOLONG, "%s: the name is too long", conf->fsname);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(text, size, -errno, "socketpair: %s", strerror(errno));
	error = call_helper(argv, pair[0], text, size);
	close(pair[0]);
	fd = error ? -1 : receive_fd(pair[1]);
	close(pair[1]);
	if (error)
		return error;
	if (fd < 0)
		return fail(text, size, fd, "%s: " HELPER " sent no descriptor", conf->mnt);
	*out = fd;
	return 0;
}

int fusemount(const struct fusemount_conf *conf, int *fd, char *text, size_t size)
{
	struct stat st;

	*fd = -1;
	if (stat(conf->mnt, &st) < 0)
		return fail(text, size, -errno, "%s: %s", conf->mnt, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fail(text, size, -ENOTDIR, "%s: not a directory", conf->mnt);
	if (geteuid() == 0)
		return mount_as_root(conf, st.st_mode, fd, text, size);
	return mount_by_helper(conf, fd, text, size);
}

int fuseclone(int fd)
{
	CLEANUP_FD int clone = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	uint32_t source = (uint32_t)fd;

	if (clone < 0)
		return -errno;
	if (ioctl(clone, FUSE_DEV_IOC_CLONE, &source) < 0)
		return -errno;
	return steal_fd(&clone);
}

unsigned int fuse_nr_workers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return (unsigned int)min(max(n, 2L), 8L);
}

int fuseumount(const char *mnt, bool lazy)
{
	const char *argv[] = { HELPER, lazy ? "-uz" : "-u", "--", mnt, NULL };
	char text[256];

	if (umount2(mnt, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	return call_helper(argv, -1, text, sizeof(text));
}
