// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who lists images looks at some that are about to leave their cache: what he looks at stays until
 * he is done.
 */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "common/nsec.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define LOOK_MS 300

static sem_t is_leaving, is_looking;
static _Thread_local struct image *looked_at;
static atomic_bool has_stayed;

int __real_corecall_unbind(struct cachehost *h, struct cache_image *ci) must_check;
int __wrap_corecall_unbind(struct cachehost *h, struct cache_image *ci);
void __real_cache_image_path(struct cache *c, struct cache_image *ci, char *path);
void __wrap_cache_image_path(struct cache *c, struct cache_image *ci, char *path);

/* Maintenance takes it out of its cache: somebody begins to look just before. */
int __wrap_corecall_unbind(struct cachehost *h, struct cache_image *ci)
{
	sem_post(&is_leaving);
	sem_wait(&is_looking);
	return __real_corecall_unbind(h, ci);
}

void __wrap_cache_image_path(struct cache *c, struct cache_image *ci, char *path)
{
	bool stays = true;

	if (looked_at) {
		sem_post(&is_looking);
		for (int i = 0; i < LOOK_MS && stays; i++) {
			nanosleep(&(struct timespec){ .tv_nsec = (long)NSEC_PER_MSEC }, NULL);
			stays = image_host(looked_at) && atomic_load(&looked_at->cached) == ci;
		}
		atomic_store(&has_stayed, stays);
		looked_at = NULL;
	}
	__real_cache_image_path(c, ci, path);
}

static int look_at(struct image *img, void *arg)
{
	struct cache_image_info info;
	char path[OP_PATH_MAX + 32];
	const char *why;
	int *nr = arg;

	looked_at = img;
	*nr += image_try_info(img, &info, path, &why);
	return 0;
}

static void *look(void *arg)
{
	struct bed *b = arg;
	int nr = 0;

	sem_wait(&is_leaving);
	ck_assert_int_eq(imagedir_for_each(b->dir, look_at, &nr), 0);
	ck_assert_int_eq(nr, 1);
	return NULL;
}

START_TEST(an_image_that_goes_stays_while_it_is_looked_at)
{
	struct bed *b = bed_new();
	struct image *img;
	pthread_t looker;

	sem_init(&is_leaving, 0, 0);
	sem_init(&is_looking, 0, 0);
	atomic_store(&has_stayed, false);
	bed_make_file(b, "a", 'x', 4096);
	bed_must_mount(b);
	ck_assert_int_eq(pthread_create(&looker, NULL, look, b), 0);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'a', 4096, 0), 4096);
	bed_close(img);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	ck_assert_int_eq(pthread_join(looker, NULL), 0);
	ck_assert(atomic_load(&has_stayed));
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_look");

	CHECK_CASE(s, "look", an_image_that_goes_stays_while_it_is_looked_at);
	return s;
}

CHECK_MAIN(make_suite)
