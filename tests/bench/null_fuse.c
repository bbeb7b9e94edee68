// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The limit that benchmarks are measured against: a filesystem on the very transport, dispatch and
 * metadata of lcfs, whose reads and writes are one copy in memory. Usage: null_fuse [-w WORKERS]
 * [-b] [-u] DIR MNT
 *
 * Shows the tree of DIR at MNT (make a file there, of the size wanted, as holes); -b: with the
 * kernel's write-back cache; -u: by io_uring. Says "serving" when it serves, ends when it is
 * unmounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcfs/fuse/mount.h"
#include "lcfs/fuse/session.h"
#include "tests/fake/image_passthrough.h"

#define WORKERS_MAX 16

static noreturn_ void die(const char *what, const char *why)
{
	fprintf(stderr, "null_fuse: %s: %s\n", what, why);
	exit(1);
}

static void serve(struct session_conf *conf, const char *mnt)
{
	struct session *s;
	char text[256];
	int error = session_start(&s, conf, text, sizeof(text));

	if (error) {
		(void)!fuseumount(mnt, true);
		die(mnt, text);
	}
	printf("serving\n");
	fflush(stdout);
	error = session_wait(s);
	if (error)
		die(mnt, strerror(-error));
	session_free(s);
}

static struct imagedir *open_dir(const char *dir)
{
	const struct passthrough_conf conf = { .is_null = true };
	struct imagedir *images;
	int error, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(dir, strerror(errno));
	error = passthrough_open(&images, fd, &conf);
	if (error)
		die(dir, strerror(-error));
	close(fd);
	return images;
}

int main(int argc, char **argv)
{
	struct session_conf conf = { .nr_clones = fuse_nr_workers() };
	struct fusemount_conf mount_conf = { .default_permissions = true, .allow_other = true };
	int clones[WORKERS_MAX], c;
	char text[256];

	while ((c = getopt(argc, argv, "w:bu")) != -1) {
		if (c == 'w')
			conf.nr_clones = (unsigned int)atoi(optarg);
		else if (c == 'b')
			conf.writeback_cache = true;
		else if (c == 'u')
			conf.over_uring = true;
		else
			return 2;
	}
	if (argc - optind != 2 || conf.nr_clones > WORKERS_MAX)
		die("usage", "null_fuse [-w WORKERS] [-b] [-u] DIR MNT");
	conf.images = open_dir(argv[optind]);
	mount_conf.fsname = argv[optind];
	mount_conf.mnt = argv[optind + 1];
	if (fusemount(&mount_conf, &conf.fd, text, sizeof(text)))
		die("mount", text);
	for (unsigned int i = 0; i < conf.nr_clones; i++) {
		clones[i] = fuseclone(conf.fd);
		if (clones[i] < 0)
			die("clone", strerror(-clones[i]));
	}
	conf.clones = clones;
	serve(&conf, mount_conf.mnt);
	return imagedir_close(conf.images) ? 1 : 0;
}
