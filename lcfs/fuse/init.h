/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INIT: what is agreed with the kernel. lcfs answers it itself, in one place and as a pure function
 * of the request, so that all flags are known whatever the age of libfuse, and a later daemon can
 * be told the same.
 */
#ifndef LCFS_FUSE_INIT_H
#define LCFS_FUSE_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/fuse/proto.h"

struct init_conf {
	bool writeback_cache;
	bool over_uring; /* asked for, if init_offers_uring() */
	uint16_t max_background;
};

struct init_result {
	struct fuse_out_header head; /* with `out` behind it: the reply */
	struct fuse_init_out out;
	uint64_t flags; /* agreed on */
};

/* Does the kernel offer FUSE over io_uring? False, too, where msg is no INIT. */
bool init_offers_uring(const void *msg, size_t len);

/*
 * The reply to the INIT request of len bytes at msg. 0; -EPROTO: a kernel of another major version
 * or older than 7.23, or no INIT.
 */
int init_answer(const void *msg, size_t len, const struct init_conf *conf,
		struct init_result *r) must_check;

#endif
