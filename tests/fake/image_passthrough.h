/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lcfs/image/image.h without a cache: all goes straight to the backing files. For tests of the FUSE
 * layer alone, linked in place of libimage.la.
 */
#ifndef TESTS_FAKE_IMAGE_PASSTHROUGH_H
#define TESTS_FAKE_IMAGE_PASSTHROUGH_H

#include "lcfs/image/image.h"

struct passthrough_conf {
	/*
	 * 0: reads, writes and syncs are done at once. Else the seed by which they are put off, for
	 * a random time and in any order, as a cache does.
	 */
	unsigned int async_seed;
	/* Reads and writes move no data but one copy within memory: the limit of the transport. */
	bool is_null;
};

/* dirfd is duplicated. 0 or -errno. imagedir_close() ends it. */
int passthrough_open(struct imagedir **out, int dirfd,
		     const struct passthrough_conf *conf) must_check;

/* Images alive; for tests of leaks. */
unsigned int passthrough_images(struct imagedir *d);

#endif
