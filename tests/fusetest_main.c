// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounts a directory through the FUSE layer alone, with images that go straight to the backing
 * files. Usage: fusetest [-o WORD[,WORD...]] [-p PIDFILE] DIR MNT
 *
 * Returns when the mount serves. The process that mounts is not the one that serves: it hands the
 * descriptors to a child and ends. Words: async=SEED, null, writeback, ctl (with .lcctl),
 * ctlvisible, ro, workers=N (0: no clones), noother, fds=N (limit of descriptors), debug.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/messages.h"
#include "lcfs/fuse/mount.h"
#include "lcfs/fuse/session.h"
#include "tests/fake/ctl_fake.h"
#include "tests/fake/image_passthrough.h"

#define WORKERS_MAX 16

static struct {
	struct passthrough_conf images;
	bool writeback, ctl, ctl_visible, ro, noother, over_uring;
	unsigned int workers, fds;
	const char *pidfile, *dir, *mnt;
} opt;

static noreturn_ void die(const char *what, const char *why)
{
	fprintf(stderr, "fusetest: %s: %s\n", what, why);
	exit(1);
}

static void parse_words(char *words)
{
	enum {
		ASYNC,
		NONE,
		WRITEBACK,
		CTL,
		CTLVISIBLE,
		RO,
		WORKERS,
		NOOTHER,
		FDS,
		URING,
		DEBUG
	};
	char *const names[] = { (char *)"async",
				(char *)"null",
				(char *)"writeback",
				(char *)"ctl",
				(char *)"ctlvisible",
				(char *)"ro",
				(char *)"workers",
				(char *)"noother",
				(char *)"fds",
				(char *)"uring",
				(char *)"debug",
				NULL };
	char *value;

	while (*words) {
		int word = getsubopt(&words, names, &value);
		unsigned int number = value && word >= 0 ? (unsigned int)atoi(value) : 0;

		switch (word) {
		case ASYNC:
			opt.images.async_seed = number;
			break;
		case NONE:
			opt.images.is_null = true;
			break;
		case WRITEBACK:
			opt.writeback = true;
			break;
		case CTLVISIBLE:
			opt.ctl_visible = opt.ctl = true;
			break;
		case CTL:
			opt.ctl = true;
			break;
		case RO:
			opt.ro = true;
			break;
		case WORKERS:
			opt.workers = number;
			break;
		case NOOTHER:
			opt.noother = true;
			break;
		case FDS:
			opt.fds = number;
			break;
		case URING:
			opt.over_uring = true;
			break;
		case DEBUG:
			msg_set_level(MSG_DEBUG);
			break;
		default:
			die(value, "unknown word");
		}
	}
}

static int serve(struct session_conf *conf, int dirfd, int ready)
{
	struct imagedir *images;
	struct session *s;
	char text[256];
	int error = passthrough_open(&images, dirfd, &opt.images);

	if (error)
		die(opt.dir, strerror(-error));
	conf->images = images;
	conf->ctl = opt.ctl ? ctl_fake() : NULL;
	conf->ctl_visible = opt.ctl_visible;
	conf->writeback_cache = opt.writeback;
	conf->over_uring = opt.over_uring;
	error = session_start(&s, conf, text, sizeof(text));
	if (error)
		die(opt.mnt, text);
	if (write(ready, "", 1) != 1)
		die("pipe", strerror(errno));
	close(ready);
	error = session_wait(s);
	session_free(s);
	if (passthrough_images(images)) {
		fprintf(stderr, "fusetest: %u images are left\n", passthrough_images(images));
		error = -EBUSY;
	}
	error |= imagedir_close(images);
	/* The last word, by which tests know that nothing went wrong. */
	fprintf(stderr, error ? "fusetest: ended with %d\n" : "fusetest: ended\n", error);
	return error ? 1 : 0;
}

/* In the child: the descriptors of the mount are inherited. */
static noreturn_ void child(int fd, int *clones, int dirfd, int ready)
{
	struct session_conf conf = { .fd = fd, .clones = clones, .nr_clones = opt.workers };

	if (opt.fds) {
		const struct rlimit limit = { opt.fds, opt.fds };

		setrlimit(RLIMIT_NOFILE, &limit);
	}
	exit(serve(&conf, dirfd, ready));
}

static void write_pid(pid_t pid)
{
	FILE *f;

	if (!opt.pidfile)
		return;
	f = fopen(opt.pidfile, "w");
	if (!f)
		die(opt.pidfile, strerror(errno));
	fprintf(f, "%d\n", (int)pid);
	fclose(f);
}

static void mount_and_serve(int dirfd)
{
	struct fusemount_conf conf = {
		.mnt = opt.mnt,
		.fsname = opt.dir,
		.flags = MS_NODEV | (opt.ro ? MS_RDONLY : 0),
		.allow_other = !opt.noother,
		.default_permissions = true,
	};
	int clones[WORKERS_MAX], ready[2], fd;
	char text[256], byte;
	pid_t pid;

	if (fusemount(&conf, &fd, text, sizeof(text)))
		die("mount", text);
	for (unsigned int i = 0; i < opt.workers; i++) {
		clones[i] = fuseclone(fd);
		if (clones[i] < 0 && geteuid() == 0)
			die("clone", strerror(-clones[i]));
		if (clones[i] < 0)
			opt.workers = i;
	}
	if (pipe(ready) < 0)
		die("pipe", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		setsid();
		child(fd, clones, dirfd, ready[1]);
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1) {
		(void)!fuseumount(opt.mnt, true);
		die(opt.mnt, "the server did not start");
	}
	write_pid(pid);
}

int main(int argc, char **argv)
{
	int c, dirfd;

	opt.workers = fuse_nr_workers();
	while ((c = getopt(argc, argv, "o:p:")) != -1) {
		if (c == 'o')
			parse_words(optarg);
		else if (c == 'p')
			opt.pidfile = optarg;
		else
			return 2;
	}
	if (argc - optind != 2)
		die("usage", "fusetest [-o WORD,...] [-p PIDFILE] DIR MNT");
	opt.dir = argv[optind];
	opt.mnt = argv[optind + 1];
	if (opt.workers > WORKERS_MAX)
		opt.workers = WORKERS_MAX;
	dirfd = open(opt.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		die(opt.dir, strerror(errno));
	mount_and_serve(dirfd);
	return 0;
}
