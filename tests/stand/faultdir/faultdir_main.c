// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * faultdir [-f] [-u] DIR MNT: shows DIR at MNT, in the foreground, and fails as faultdir.h says.
 * -f: takes as few requests at a time as the kernel sends when nobody asks it for more. -u: what
 * was not synced can be lost. Killed, it leaves a mount whose every file is "not connected".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "tests/stand/faultdir/faultdir.h"

#define THREADS 512u

struct fault_store store;

static bool takes_few;

static void op_init(void *userdata unused_, struct fuse_conn_info *conn)
{
	if (!takes_few) {
		conn->max_background = THREADS / 2;
		conn->congestion_threshold = THREADS / 2;
	}
	if (conn->capable & FUSE_CAP_ASYNC_DIO)
		conn->want |= FUSE_CAP_ASYNC_DIO;
	conn->want &= ~(unsigned int)FUSE_CAP_HANDLE_KILLPRIV;
}

static int open_dir(const char *path)
{
	struct stat st;

	store.root.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (store.root.fd < 0 || fstat(store.root.fd, &st) < 0)
		return -errno;
	store.root.dev = st.st_dev;
	store.root.ino = st.st_ino;
	store.root.nlookup = 1;
	undo_init(&store.root.undo);
	mutex_init(&store.lock, 0, "nodes");
	for (size_t i = 0; i < array_size(store.buckets); i++)
		list_init(&store.buckets[i]);
	list_add_head(&store.buckets[st.st_ino % array_size(store.buckets)], &store.root.hash);
	return 0;
}

static int serve(const char *mnt)
{
	char *words[] = { (char *)"faultdir",
			  (char *)"-oallow_other,default_permissions,fsname=faultdir", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, words);
	struct fuse_loop_config *conf = fuse_loop_cfg_create();
	struct fuse_lowlevel_ops ops = { .init = op_init };
	int r;

	faultdir_io_ops(&ops);
	faultdir_name_ops(&ops);
	store.session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!store.session || !conf || fuse_session_mount(store.session, mnt) != 0)
		return 1;
	fuse_loop_cfg_set_max_threads(conf, THREADS);
	fuse_loop_cfg_set_idle_threads(conf, THREADS);
	fuse_loop_cfg_set_clone_fd(conf, 0);
	r = fuse_session_loop_mt(store.session, conf);
	fuse_session_unmount(store.session);
	fuse_session_destroy(store.session);
	fuse_loop_cfg_destroy(conf);
	return r ? 1 : 0;
}

int main(int argc, char **argv)
{
	int r, option;

	while ((option = getopt(argc, argv, "fu")) != -1) {
		takes_few |= option == 'f';
		store.keeps_undo |= option == 'u';
		argc = option == '?' ? 0 : argc;
	}
	if (argc != optind + 2) {
		fprintf(stderr, "Usage: faultdir [-f] [-u] DIR MNT\n");
		return 2;
	}
	umask(0);
	rules_init();
	r = open_dir(argv[optind]);
	if (r < 0) {
		fprintf(stderr, "faultdir: %s: %s\n", argv[optind], strerror(-r));
		return 1;
	}
	return serve(argv[optind + 1]);
}
