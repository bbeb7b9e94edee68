// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl apply --mark-clean: the stack of a mount, without a mount. Everything is as if it had been
 * mounted, drained and unmounted: the same locks, the same checks, the same order of what becomes
 * durable; a kill at any moment leaves what a killed daemon leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/cachefind.h"
#include "lcfs/image/image.h"
#include "lcfs/process.h"
#include "lcfs/stack.h"
#include "lcfs/tools/offline_apply.h"

struct draining {
	const struct apply_options *o;
	unsigned int failed;
};

static int drain_image(struct image *img, void *arg)
{
	char path[OP_PATH_MAX + 1];
	struct cache_image_info info;
	struct draining *d = arg;
	int err;

	if (!image_info(img, &info, path) || !info.is_bound)
		return 0;
	err = image_drain(img);
	d->failed += err != 0;
	if (err)
		msg_err("%s: not drained (%s): %s", path, image_state_text(info.state),
			strerror(-err));
	else if (!d->o->is_quiet && info.dirty_blocks)
		printf("%s: %" PRIu64 " KiB of %" PRIu64 " bytes\n", path,
		       info.dirty_blocks * (BLOCK_BYTES >> 10), info.size);
	return 0;
}

static must_check int find_places(struct places *p, const struct apply_options *o)
{
	char text[512];
	int err;

	*p = (struct places){ .dirfd = -1 };
	p->caches = calloc(1, sizeof(*p->caches));
	p->mnt = strdup("");
	if (!p->caches || !p->mnt) {
		msg_err("out of memory");
		return -ENOMEM;
	}
	p->nr_caches = 1;
	err = cachefind(o->cache, &p->caches[0], text, sizeof(text));
	if (err) {
		msg_err("%s", text);
		return err;
	}
	p->dir = realpath(o->dir, NULL);
	p->dirfd = p->dir ? open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (p->dirfd >= 0)
		return 0;
	msg_err("%s: %s", o->dir, strerror(errno));
	return -EIO;
}

/* The options of a mount, all but a few by default. */
static must_check int make_options(struct options *m, const struct apply_options *o,
				   const struct places *p)
{
	const char *argv[] = {
		"lcfs", "-o",	   o->ignore_lost ? "lost_buffers" : "nolost_buffers",
		"-o",	"cache=-", p->dir,
		p->dir, NULL
	};
	char text[512];
	int err = options_parse(m, (int)array_size(argv) - 1, argv, text, sizeof(text));

	if (err)
		msg_err("%s", text);
	return err;
}

static must_check int drain(struct draining *d, const struct places *p, const struct options *m)
{
	struct stack stack;
	int err = stack_open(&stack, p, m), close_err;

	if (err)
		return err;
	imagedir_for_each(stack.dir, drain_image, d);
	close_err = stack_close(&stack);
	return d->failed ? -EIO : close_err;
}

int offline_drain(const struct apply_options *o)
{
	struct draining d = { .o = o };
	struct options m = { 0 };
	struct places p;
	int err = find_places(&p, o);

	if (!err)
		err = process_raise_fd_limit();
	if (!err) {
		err = make_options(&m, o, &p);
		if (!err)
			err = drain(&d, &p, &m);
		options_free(&m);
	}
	places_free(&p);
	return err;
}
