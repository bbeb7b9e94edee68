// SPDX-License-Identifier: GPL-2.0-or-later
/* The half of image_torture that looks at what is left. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/image_torture.h"

int open_dir(struct bed *b, int index)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "d%d.a", index);
	fd = openat(b->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(name, sizeof(name), "d%d.b", index);
		fd = openat(b->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd;
}

/* A file found under the other name of an interrupted rename is told of, and is none. */
bool is_complaint(struct bed *b)
{
	const char *line = b->said, *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1)
		if (!memmem(line, (size_t)(end - line), ": found as ", 11))
			return true;
	return false;
}

void must_mount(struct bed *b)
{
	int r = bed_mount(b);

	if (r < 0)
		fail("mount: %s: %s", strerror(-r), b->text);
	if (is_complaint(b))
		fail("mount: %s", b->said);
}

static void read_slot(struct bed *b, int dir, int slot, struct slot *s)
{
	struct image *img;
	char name[16];
	int fd;

	memset(s, 0, sizeof(*s));
	name_of(slot, name);
	fd = openat(dir, name, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return;
	s->exists = true;
	if (image_get(b->dir, fd, &img) < 0 || image_open(img, false) < 0)
		fail("%s cannot be opened", name);
	s->size = (uint32_t)image_size(img);
	if (bed_read(img, s->data, SIZE_MAX_, 0) != (int)s->size)
		fail("%s cannot be read", name);
	image_release(img, false);
	image_put(img);
	close(fd);
}

static void verify(struct bed *b, int index)
{
	struct slot *is = calloc(SLOTS, sizeof(*is));
	const struct slot *want;
	int wrong, dir = open_dir(b, index);

	for (int i = 0; i < SLOTS; i++)
		read_slot(b, dir, i, &is[i]);
	wrong = model_settle(&models[index], is, &want);
	if (wrong >= 0)
		fail("d%d/f%d: is %d, size %u; should be %d, size %u; differs from byte %u", index,
		     wrong, is[wrong].exists, is[wrong].size, want->exists, want->size,
		     slot_differs_at(&is[wrong], want));
	close(dir);
	free(is);
}

static int drain(struct image *img, void *arg)
{
	(void)arg;
	if (image_drain(img) < 0)
		fail("an image cannot be drained");
	return 0;
}

static void verify_plain(struct bed *b, int index)
{
	int dir = open_dir(b, index);
	uint8_t *buf = malloc(SIZE_MAX_ + 1);

	for (int i = 0; i < SLOTS; i++) {
		const struct slot *s = &models[index].now[i];
		char name[16];
		int fd;
		ssize_t n;

		name_of(i, name);
		fd = openat(dir, name, O_RDONLY);
		if ((fd >= 0) != s->exists)
			fail("plain d%d/%s", index, name);
		if (fd < 0)
			continue;
		n = read(fd, buf, SIZE_MAX_ + 1);
		if (n != (ssize_t)s->size || memcmp(buf, s->data, s->size) != 0)
			fail("plain d%d/%s: %zd bytes differ from %u", index, name, n, s->size);
		close(fd);
	}
	close(dir);
	free(buf);
}

void run_verifier(struct bed *b, uint64_t random)
{
	bool must_drain = below(&random, 3) == 0;

	watch_start(b);
	main_does("mount");
	must_mount(b);
	main_does("verify");
	for (int i = 0; i < THREADS; i++)
		verify(b, i);
	if (must_drain) {
		main_does("drain");
		imagedir_for_each(b->dir, drain, NULL);
		for (int i = 0; i < THREADS; i++)
			verify_plain(b, i);
	}
	if (is_complaint(b))
		fail("verifier: %s", b->said);
	if (below(&random, 2))
		kill(getpid(), SIGKILL);
	main_does("unmount");
	bed_unmount(b);
	_exit(0);
}
