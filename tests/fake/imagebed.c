// SPDX-License-Identifier: GPL-2.0-or-later
/* A backing directory with a real cache over it. */
#include "tests/fake/imagebed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/messages.h"
#include "common/mutex.h"
#include "lcfs/image/guard.h"
#include "lcfs/io/uuid.h"

/* Not libcheck's: it is used in child processes and in programs of their own, too. */
#define must_say(cond, text)                                                                 \
	do {                                                                                 \
		if (!(cond)) {                                                               \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #cond, text); \
			abort();                                                             \
		}                                                                            \
	} while (0)
#define must(cond) must_say(cond, errno ? strerror(errno) : "")

#define POOL_BUFFERS 8u
#define SEGMENT_ORDER 9u /* 256 KiB */

/* ---- the cache ---- */

static void write_block(int fd, const void *block, uint64_t off)
{
	must(pwrite(fd, block, BLOCK_BYTES, (off_t)off) == BLOCK_BYTES);
}

static void format(struct bed *b, const struct bed_cache *c)
{
	struct superblock sb = { .device_count = 1,
				 .checksum_algorithm = CHECKSUM_XXH3_64,
				 .tail_lsn = 1,
				 .epoch_start_lsn = 1,
				 .epoch_start_segment = 1,
				 .table_current = SUPERBLOCK_TABLE_NONE,
				 .ring_base_id = 1,
				 .state = SUPERBLOCK_CLEAN };
	void *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	int fd = openat(b->root_fd, c->file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0);
	must(ftruncate(fd, BED_CACHE_BYTES) == 0);
	must(uuid_random(sb.cache_uuid) == 0);
	must(uuid_random(sb.device_uuid) == 0);
	must(random_fill(&sb.key, sizeof(sb.key)) == 0);
	must(superblock_layout(&sb, BED_CACHE_BYTES, SEGMENT_ORDER, 0) == 0);
	for (unsigned int i = 0; i < SUPERBLOCK_COPIES; i++) {
		sb.generation = i + 1;
		superblock_encode(&sb, block, SUPERBLOCK_ADDRESS(i));
		write_block(fd, block, SUPERBLOCK_ADDRESS(i));
	}
	must(fsync(fd) == 0);
	close(fd);
	free(block);
}

void bed_format(struct bed *b)
{
	format(b, b->caches[0]);
}

struct bed_cache *bed_add_cache(struct bed *b)
{
	struct bed_cache *c = calloc(1, sizeof(*c));

	must(c && b->nr_caches < BED_CACHES_MAX);
	snprintf(c->file, sizeof(c->file), "cache");
	if (b->nr_caches)
		snprintf(c->file, sizeof(c->file), "cache%u", b->nr_caches + 1);
	c->pool = mmap(NULL, b->pool_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	must(c->pool != MAP_FAILED);
	format(b, c);
	b->caches[b->nr_caches++] = c;
	return c;
}

static struct bed *noting;
static pthread_mutex_t note_lock = PTHREAD_MUTEX_INITIALIZER; /* of its messages */

static void note(enum msg_level level, const char *text, void *arg)
{
	struct bed *b = noting;
	size_t at;

	(void)arg;
	if (getenv("IMAGEBED_VERBOSE"))
		fprintf(stderr, "[%u] %s\n", (unsigned int)level, text);
	if (!b || level == MSG_DEBUG)
		return;
	pthread_mutex_lock(&note_lock);
	at = strlen(b->said);
	snprintf(b->said + at, sizeof(b->said) - at, "%s\n", text);
	pthread_mutex_unlock(&note_lock);
}

static void remove_root(const struct bed *b)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", b->root);
	must(system(command) == 0);
}

struct bed *bed_new(void)
{
	const char *where = getenv("IMAGEBED_DIR");
	struct cache_pool_layout layout;
	struct bed *b = calloc(1, sizeof(*b));
	char path[300];

	noting = b;
	msg_to_callback(note, NULL);
	if (getenv("IMAGEBED_VERBOSE"))
		msg_set_level(MSG_DEBUG);
	snprintf(b->root, sizeof(b->root), "%s/imagebed-%s", where ? where : ".",
		 program_invocation_short_name);
	remove_root(b); /* of a test that failed */
	must(mkdir(b->root, 0700) == 0);
	b->root_fd = open(b->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(mkdirat(b->root_fd, "back", 0755) == 0);
	snprintf(path, sizeof(path), "%s/back", b->root);
	b->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cache_pool_layout(&(struct superblock){ .segment_order = SEGMENT_ORDER,
						.nr_segments = 1000 },
			  POOL_BUFFERS, &layout);
	b->pool_bytes = layout.bytes;
	(void)bed_add_cache(b);
	return b;
}

void bed_free(struct bed *b)
{
	if (b->dir)
		bed_unmount(b);
	noting = NULL;
	while (b->nr_caches) {
		struct bed_cache *c = b->caches[--b->nr_caches];

		munmap(c->pool, b->pool_bytes);
		free(c);
	}
	close(b->fd);
	close(b->root_fd);
	remove_root(b);
	free(b);
}

/* ---- mount ---- */

static int open_device(struct bed *b, struct bed_cache *c)
{
	char path[300];
	struct cachedev_conf conf = { .path = path, .wait_ms = 10000 };
	int r;

	snprintf(path, sizeof(path), "%s/%s", b->root, c->file);
	r = cachedev_open(&c->dev, &conf, b->text, sizeof(b->text));
	if (r == 0)
		r = cache_superblock_read(cachedev_blkdev(c->dev), &c->before, b->text,
					  sizeof(b->text));
	if (r == 0 && b->lease_ns)
		c->before.lease_ns = (uint64_t)b->lease_ns;
	return r;
}

static int open_cache(struct bed *b, struct bed_cache *c)
{
	struct cache_conf conf;
	struct cache_mount_info info = {
		.real_ns = (int64_t)(clock_real_ns() - clock_mono_ns()),
		.now_ns = clock_mono_ns(),
	};
	int r;

	cache_conf_default(&conf);
	conf.pool_buffers = POOL_BUFFERS;
	must(uuid_random(info.mount_id) == 0);
	must(uuid_boot(info.boot_id) == 0);
	info.boot_id[0] ^= b->restarts;
	memcpy(info.dir_uuid, imagedir_uuid(b->dir), UUID_BYTES);
	r = cache_open(&c->cache, cachedev_blkdev(c->dev), c->pool, b->pool_bytes, &conf, &info,
		       &c->report);
	if (r < 0)
		snprintf(b->text, sizeof(b->text), "%s", c->report.error);
	return r;
}

/* All of them together, as the daemon does. */
static int join_all(struct bed *b, struct bed_cache **list, unsigned int nr)
{
	const struct superblock *sb[BED_CACHES_MAX] = { NULL };
	struct imagedir_cache specs[BED_CACHES_MAX];
	int r = 0;

	for (unsigned int i = 0; i < nr && r == 0; i++) {
		r = open_device(b, list[i]);
		sb[i] = &list[i]->before;
	}
	if (r == 0)
		r = imagedir_admit(b->dir, sb, nr, b->text, sizeof(b->text));
	for (unsigned int i = 0; i < nr && r == 0; i++) {
		r = open_cache(b, list[i]);
		specs[i] = (struct imagedir_cache){ .cache = list[i]->cache,
						    .sb = sb[i],
						    .log_fd = cachedev_fd(list[i]->dev),
						    .device = list[i]->file };
	}
	if (r == 0)
		r = imagedir_add_caches(b->dir, specs, nr, b->text, sizeof(b->text));
	for (unsigned int i = 0; i < nr && r == 0; i++)
		list[i]->id = imagedir_cache_id(b->dir, sb[i]->cache_uuid);
	return r;
}

static void drop_cache(struct bed_cache *c)
{
	if (c->cache)
		cache_free(c->cache);
	cachedev_close(c->dev);
	c->cache = NULL;
	c->dev = NULL;
	c->id = 0;
}

int bed_join(struct bed *b, struct bed_cache *c)
{
	int r = join_all(b, &c, 1);

	if (r < 0)
		drop_cache(c);
	else
		bed_knob(b, KNOB_ALLOW_MIGRATE, 0);
	return r;
}

int bed_part(struct bed *b, struct bed_cache *c)
{
	int r = imagedir_remove_cache(b->dir, c->id, b->text, sizeof(b->text));

	if (r == 0)
		drop_cache(c);
	return r;
}

static int mount_parts(struct bed *b)
{
	struct imagedir_conf conf = { .dirfd = b->fd,
				      .looked = b->looked,
				      .force = b->force,
				      .policy = b->policy,
				      .include = b->include,
				      .exclude = b->exclude };
	int r = imagedir_open(&b->dir, &conf, b->text, sizeof(b->text));

	if (r == 0)
		r = join_all(b, b->caches, b->nr_caches);
	if (r == 0)
		bed_knob(b, KNOB_ALLOW_MIGRATE, 0);
	b->cache = b->caches[0]->cache;
	b->before = b->caches[0]->before;
	return r;
}

static int let_go(struct bed *b)
{
	int r = b->dir ? imagedir_close(b->dir) : 0;

	for (unsigned int i = 0; i < b->nr_caches; i++)
		drop_cache(b->caches[i]);
	b->dir = NULL;
	b->cache = NULL;
	return r;
}

int bed_mount(struct bed *b)
{
	int r = mount_parts(b);

	if (r < 0)
		(void)let_go(b);
	return r;
}

void bed_must_mount(struct bed *b)
{
	int r = bed_mount(b);

	must_say(r == 0, b->text);
}

void bed_unmount(struct bed *b)
{
	must(let_go(b) == 0);
}

void bed_die(struct bed *b, void (*fn)(struct bed *b))
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		if (bed_mount(b) < 0) {
			fprintf(stderr, "child: %s\n", b->text);
			_exit(1);
		}
		fn(b);
		kill(getpid(), SIGKILL);
	}
	must(waitpid(pid, &status, 0) == pid);
	must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

struct bed *bed_two_caches(void)
{
	struct bed *b = bed_new();

	(void)bed_add_cache(b);
	return b;
}

struct bed *bed_two_mounted(void)
{
	struct bed *b = bed_two_caches();

	bed_must_mount(b);
	return b;
}

void bed_turn_round(struct bed *b)
{
	struct bed_cache *c = b->caches[0];

	b->caches[0] = b->caches[1];
	b->caches[1] = c;
}

/* How many images a cache's table has, or is about to be rid of. */
unsigned int bed_nr_bound(const struct bed_cache *c)
{
	struct cache_image *ci = NULL;
	struct cache_image_info info;
	unsigned int n = 0;

	while ((ci = cache_image_next(c->cache, ci)) != NULL) {
		cache_image_info(c->cache, ci, &info);
		n += info.is_bound;
	}
	return n;
}

void bed_knob(struct bed *b, enum cache_knob k, uint64_t value)
{
	uint32_t ids[BED_CACHES_MAX];
	unsigned int nr = imagedir_caches(b->dir, ids, BED_CACHES_MAX);

	for (unsigned int i = 0; i < nr; i++) {
		struct engine *e = imagedir_engine(b->dir, ids[i]);
		struct outbox ob;

		outbox_init(&ob);
		must(cache_knob_set(imagedir_cache(b->dir, ids[i]), k, value, engine_now(e), &ob) ==
		     0);
		engine_carry(e, &ob);
	}
}

void bed_drain(struct bed *b, struct image *img)
{
	(void)b;
	must(image_drain(img) == 0);
}

uint64_t bed_dirty_blocks(struct bed *b)
{
	struct cache_status st;
	uint64_t n = 0;

	for (unsigned int i = 0; i < b->nr_caches; i++) {
		if (!b->caches[i]->cache)
			continue;
		cache_status(b->caches[i]->cache, &st);
		n += st.dirty_blocks;
	}
	return n;
}

void bed_wait_clean(struct bed *b)
{
	uint64_t deadline = clock_mono_ns() + 20 * NSEC_PER_SEC;

	while (bed_dirty_blocks(b)) {
		must_say(clock_mono_ns() < deadline, b->said);
		usleep(10000);
	}
}

/* ---- files ---- */

void bed_make_file(struct bed *b, const char *path, char fill, size_t bytes)
{
	int fd = openat(b->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char *buf = malloc(bytes + 1);

	must(fd >= 0);
	memset(buf, fill, bytes);
	must(write(fd, buf, bytes) == (ssize_t)bytes);
	close(fd);
	free(buf);
}

size_t bed_plain_read(struct bed *b, const char *path, void *buf, size_t bytes, uint64_t off)
{
	int fd = openat(b->fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	must(fd >= 0);
	n = pread(fd, buf, bytes, (off_t)off);
	must(n >= 0);
	close(fd);
	return (size_t)n;
}

bool bed_plain_is(struct bed *b, const char *path, char fill, size_t bytes)
{
	char *buf = malloc(bytes + 1);
	bool is = bed_plain_read(b, path, buf, bytes + 1, 0) == bytes;

	for (size_t i = 0; is && i < bytes; i++)
		is = buf[i] == fill;
	free(buf);
	return is;
}

bool bed_exists(struct bed *b, const char *path)
{
	return faccessat(b->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct image *bed_get(struct bed *b, const char *path)
{
	int fd = openat(b->fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct image *img;

	must_say(fd >= 0, path);
	must(image_get(b->dir, fd, &img) == 0);
	close(fd);
	return img;
}

struct image *bed_create(struct bed *b, const char *path)
{
	int fd = openat(b->fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct image *img;

	must_say(fd >= 0, path);
	must(image_get(b->dir, fd, &img) == 0);
	image_created(img);
	close(fd);
	return img;
}

struct image *bed_make_image(struct bed *b, const char *path, char fill, uint32_t bytes)
{
	struct image *img = bed_create(b, path);

	must(image_open(img, true) == 0);
	must(bed_fill(img, fill, bytes, 0) == (int)bytes);
	return img;
}

struct image *bed_open(struct bed *b, const char *path)
{
	struct image *img = bed_get(b, path);

	must(image_open(img, true) == 0);
	return img;
}

void bed_close(struct image *img)
{
	image_release(img, true);
	image_put(img);
}

enum image_state bed_state(struct image *img)
{
	struct cache_image_info info;

	return image_info(img, &info, NULL) ? info.state : IMAGE_UNCACHED;
}

uint32_t bed_image_id(struct image *img)
{
	struct cache_image_info info;

	return image_info(img, &info, NULL) ? info.id : 0;
}

bool bed_is_marked(struct bed *b, const char *path)
{
	int fd = openat(b->fd, path, O_RDONLY);
	uint8_t uuid[16];
	bool r = guard_mark_get(fd, uuid) == 0;

	close(fd);
	return r;
}

bool bed_said(struct bed *b, const char *words)
{
	bool is_there;

	pthread_mutex_lock(&note_lock);
	is_there = strstr(b->said, words) != NULL;
	pthread_mutex_unlock(&note_lock);
	return is_there;
}

void bed_wait_said(struct bed *b, const char *words)
{
	uint64_t deadline = clock_mono_ns() + 20 * NSEC_PER_SEC;

	while (!bed_said(b, words)) {
		must_say(clock_mono_ns() < deadline, words);
		usleep(10000);
	}
}
