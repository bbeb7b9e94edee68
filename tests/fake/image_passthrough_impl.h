/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of image_passthrough. */
#ifndef TESTS_FAKE_IMAGE_PASSTHROUGH_IMPL_H
#define TESTS_FAKE_IMAGE_PASSTHROUGH_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/list.h"
#include "tests/fake/image_passthrough.h"

#define PASSTHROUGH_THREADS 4
#define PASSTHROUGH_BUCKETS 4096u

struct imagedir {
	struct passthrough_conf conf;
	int fd;
	pthread_mutex_t lock;			 /* of the images */
	struct list images[PASSTHROUGH_BUCKETS]; /* by inode number */
	/* what was put off */
	pthread_mutex_t pool_lock;
	pthread_cond_t pool_wake;
	struct list queue;
	bool is_stopping;
	unsigned int random;
	pthread_t threads[PASSTHROUGH_THREADS];
};

struct image {
	struct imagedir *dir;
	struct list node;
	unsigned int refs;
	dev_t dev;
	ino_t ino;
	int fd;	   /* O_PATH */
	int io_fd; /* -1: not yet */
	atomic_uint opens;
	/* for image_version() */
	uint64_t version;
	atomic_bool is_ours; /* changed by us since the last look */
	off_t size;
	struct timespec mtime;
};

/* The descriptor for I/O, or -errno. */
int passthrough_fd(struct image *img);
void passthrough_pool_start(struct imagedir *d);
void passthrough_pool_stop(struct imagedir *d);

#endif
