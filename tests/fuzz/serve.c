// SPDX-License-Identifier: GPL-2.0-or-later
/* Carries out the actions of a core over a device in memory. */
#include "tests/fuzz/serve.h"

#include <errno.h>
#include <string.h>

#include "common/nsec.h"
#include "lcfs/ondisk/codec.h"
#include "tests/fuzz/fuzz.h"

#define ENOUGH 100000u

static const uint8_t boot_id[FORMAT_UUID_BYTES] = "boot under test";

void serve_check(struct serve *s)
{
	char text[256] = "";

	if (cache_check(s->cache, text, sizeof(text))) {
		fprintf(stderr, "cache_check: %s\n", text);
		abort();
	}
}

int serve_open(struct serve *s, struct memdev *mem, void *pool, uint64_t pool_bytes,
	       struct cache_recovery_report *rep)
{
	struct cache_mount_info info = { .mount_id = "mount", .real_ns = 1000 * NSEC_PER_SEC };
	struct cache_conf conf;
	int err;

	*s = (struct serve){ .mem = mem, .now = NSEC_PER_SEC };
	outbox_init(&s->todo);
	cache_conf_default(&conf);
	conf.pool_buffers = 4;
	conf.log_depth = 2;
	conf.migrate_depth = 4;
	conf.migrate_bytes = 64u << 10;
	conf.merge_buffers = 4;
	info.mount_id[8] = (uint8_t)mem->writes;
	memcpy(info.boot_id, boot_id, sizeof(boot_id));
	info.now_ns = s->now;
	err = cache_open(&s->cache, &mem->dev, pool, pool_bytes, &conf, &info, rep);
	FUZZ_CHECK((err == 0) == (s->cache != NULL));
	FUZZ_CHECK((err != 0) == (rep->error[0] != '\0'));
	FUZZ_CHECK(!strchr(rep->error, '\n'));
	if (!err)
		serve_check(s);
	return err;
}

static uint64_t bytes_of(const struct action *a)
{
	uint64_t n = 0;

	for (int i = 0; i < a->nr_iov; i++)
		n += a->iov[i].iov_len;
	return n;
}

static int device_io(struct serve *s, const struct action *a)
{
	uint64_t off = a->off;

	FUZZ_CHECK(bytes_of(a) > 0);
	for (int i = 0; i < a->nr_iov; i++) {
		const struct iovec *v = &a->iov[i];
		int err = a->type == ACTION_DEV_READ ?
				  blkdev_read(&s->mem->dev, v->iov_base, v->iov_len, off) :
				  blkdev_write(&s->mem->dev, v->iov_base, v->iov_len, off);

		FUZZ_CHECK(err == 0);
		off += v->iov_len;
	}
	return (int)bytes_of(a);
}

static int backing_io(const struct action *a)
{
	FUZZ_CHECK(a->off <= IMAGE_BYTES_MAX && bytes_of(a) <= IMAGE_BYTES_MAX - a->off);
	if (a->type == ACTION_BACK_READ)
		for (int i = 0; i < a->nr_iov; i++)
			memset(a->iov[i].iov_base, 0, a->iov[i].iov_len);
	return (int)bytes_of(a);
}

static int backing_change(struct action *a)
{
	FUZZ_CHECK(a->off <= IMAGE_BYTES_MAX);
	if (a->type == ACTION_BACK_PUNCH)
		FUZZ_CHECK(a->len > 0 && a->len <= IMAGE_BYTES_MAX - a->off);
	if (a->type == ACTION_BACK_SYNC && a->arg == 1)
		a->stamp.size = a->off;
	return 0;
}

static int carry(struct serve *s, struct action *a)
{
	switch (a->type) {
	case ACTION_ENCODE:
		cache_encode(s->cache, a);
		return 0;
	case ACTION_WORK:
		return cache_work(s->cache, a);
	case ACTION_LOG_WRITE:
	case ACTION_DEV_WRITE:
	case ACTION_DEV_READ:
		return device_io(s, a);
	case ACTION_FLUSH:
		return blkdev_flush(&s->mem->dev);
	case ACTION_BACK_READ:
	case ACTION_BACK_WRITE:
		return backing_io(a);
	case ACTION_BACK_CHECK:
	case ACTION_BACK_GROW:
	case ACTION_BACK_TRUNCATE:
	case ACTION_BACK_PUNCH:
	case ACTION_BACK_SYNC:
		return backing_change(a);
	case ACTION_RESUME:
	case ACTION_DONE:
		break;
	}
	abort();
}

/* False: there is nothing to be done, and nothing becomes due within a minute. */
static bool step(struct serve *s)
{
	struct action *a = outbox_pop(&s->todo);
	uint64_t due;
	int result;

	s->now += NSEC_PER_MSEC;
	if (!a) {
		due = cache_deadline(s->cache);
		if (due > s->now + 60 * NSEC_PER_SEC)
			return false;
		s->now = due > s->now ? due : s->now;
		cache_tick(s->cache, s->now, &s->todo);
		return true;
	}
	if (a == &s->end) {
		s->has_ended = true;
		return true;
	}
	result = carry(s, a);
	cache_complete(s->cache, a, result, s->now, &s->todo);
	return true;
}

void serve_run(struct serve *s, unsigned int actions)
{
	while (actions-- > 0 && step(s))
		;
}

void serve_shutdown(struct serve *s)
{
	unsigned int n = 0;

	cache_shutdown(s->cache, &s->end, s->now, &s->todo);
	while (!s->has_ended) {
		FUZZ_CHECK(step(s));
		FUZZ_CHECK(++n < ENOUGH);
	}
	FUZZ_CHECK(s->end.arg == 0);
	serve_check(s);
	serve_kill(s);
}

void serve_kill(struct serve *s)
{
	cache_free(s->cache);
	s->cache = NULL;
}
