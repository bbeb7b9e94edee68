// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory for I/O: regions, and a pool of buffers of fixed sizes. */
#include "lcfs/io/iobuf.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/align.h"
#include "common/mutex.h"

#define IOBUF_RANK 902
#define PAGE 4096u
#define HUGE_PAGE (2u << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* For kernels before 5.14, which have no MADV_POPULATE_WRITE. */
static void touch(void *mem, size_t bytes)
{
	volatile char *at = mem;

	for (size_t i = 0; i < bytes; i += PAGE)
		at[i] = at[i];
}

/*
 * Shared memory gets no huge pages of its own accord (shmem_enabled is "never" nearly
 * everywhere), but may be moved into them. A hint: fails on files that lie on a disk and on
 * kernels before 6.1.
 */
static void use_huge_pages(void *mem, size_t bytes)
{
	uintptr_t from = align_up((uintptr_t)mem, HUGE_PAGE);
	uintptr_t to = align_down((uintptr_t)mem + bytes, HUGE_PAGE);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_COLLAPSE);
}

/* Reserves more than enough, maps at the right place inside, and gives the ends back. */
int iobuf_map(void **mem, size_t bytes, int prot, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	size_t pages = align_up(bytes, PAGE), reserved = pages + HUGE_PAGE;
	char *start, *at;

	*mem = NULL;
	start = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return -errno;
	at = (char *)align_up((uintptr_t)start, HUGE_PAGE);
	if (mmap(at, bytes, prot, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
		int err = -errno;

		munmap(start, reserved);
		return err;
	}
	if (at > start)
		munmap(start, (size_t)(at - start));
	if (start + reserved > at + pages)
		munmap(at + pages, (size_t)(start + reserved - (at + pages)));
	*mem = at;
	return 0;
}

/* 0 or -errno. */
static int populate(void *mem, size_t bytes)
{
	errno = 0;
#ifdef MADV_POPULATE_WRITE
	if (madvise(mem, bytes, MADV_POPULATE_WRITE) < 0 && errno != EINVAL)
		return -errno;
	if (errno == EINVAL)
#endif
		touch(mem, bytes);
	return 0;
}

int iobuf_lock(void *mem, size_t bytes)
{
	int err = bytes ? populate(mem, bytes) : 0;

	if (err || bytes == 0)
		return err;
	use_huge_pages(mem, bytes);
	return mlock(mem, bytes) < 0 ? -errno : 0;
}

int iobuf_reserve(void **mem, size_t bytes, int *lock_error)
{
	*mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (*mem == MAP_FAILED) {
		*mem = NULL;
		return -ENOMEM;
	}
	(void)madvise(*mem, bytes, MADV_NOHUGEPAGE);
	*lock_error = mlock2(*mem, bytes, MLOCK_ONFAULT) < 0 ? -errno : 0;
	return 0;
}

void iobuf_populate(void *mem, size_t bytes)
{
	(void)populate(mem, bytes);
}

int iobuf_region_alloc(struct iobuf_region *r, size_t bytes)
{
	bytes = align_up(bytes, PAGE);
	*r = (struct iobuf_region){ 0 };
	if (iobuf_map(&r->mem, bytes, PROT_READ | PROT_WRITE, -1))
		return -ENOMEM;
	r->bytes = bytes;
	(void)madvise(r->mem, bytes, MADV_HUGEPAGE);
	r->lock_error = iobuf_lock(r->mem, bytes);
	return 0;
}

void iobuf_region_free(struct iobuf_region *r)
{
	if (r->mem)
		munmap(r->mem, r->bytes);
	*r = (struct iobuf_region){ 0 };
}

struct stack {
	char *start;	    /* const: the buffers of the class */
	size_t bytes;	    /* const: of one */
	unsigned int count; /* const */
	unsigned int nr_free;
	unsigned int *free; /* numbers of the free ones; the last used is the next */
	struct cond has_free;
};

struct iobuf_pool {
	struct mutex lock; /* covers nr_free and free[] of all classes */
	struct iobuf_region region;
	unsigned int nr;
	struct stack stack[IOBUF_CLASSES_MAX];
};

static int stack_init(struct stack *s, const struct iobuf_class *class, char *start)
{
	s->start = start;
	s->bytes = class->bytes;
	s->count = class->count;
	cond_init(&s->has_free);
	s->free = calloc(class->count ? class->count : 1, sizeof(*s->free));
	if (!s->free)
		return -ENOMEM;
	while (s->nr_free < s->count) {
		s->free[s->nr_free] = s->count - 1 - s->nr_free;
		s->nr_free++;
	}
	return 0;
}

int iobuf_pool_open(struct iobuf_pool **out, const struct iobuf_class *classes, unsigned int nr,
		    int *lock_error)
{
	struct iobuf_pool *p = calloc(1, sizeof(*p));
	size_t bytes = 0, at = 0;
	int err;

	*out = NULL;
	if (!p)
		return -ENOMEM;
	mutex_init(&p->lock, IOBUF_RANK, "buffer pool");
	assert(nr <= IOBUF_CLASSES_MAX);
	for (unsigned int i = 0; i < nr; i++)
		bytes += classes[i].bytes * classes[i].count;
	err = iobuf_region_alloc(&p->region, max_t(size_t, bytes, PAGE));
	for (unsigned int i = 0; i < nr && !err; i++) {
		err = stack_init(&p->stack[p->nr++], &classes[i], (char *)p->region.mem + at);
		at += classes[i].bytes * classes[i].count;
	}
	if (err) {
		iobuf_pool_close(p);
		return err;
	}
	*lock_error = p->region.lock_error;
	*out = p;
	return 0;
}

void iobuf_pool_close(struct iobuf_pool *p)
{
	if (!p)
		return;
	for (unsigned int i = 0; i < p->nr; i++) {
		free(p->stack[i].free);
		cond_destroy(&p->stack[i].has_free);
	}
	iobuf_region_free(&p->region);
	mutex_destroy(&p->lock);
	free(p);
}

void *iobuf_get(struct iobuf_pool *p, size_t bytes, bool may_wait)
{
	struct stack *s = p->stack;
	LOCK_SCOPE(&p->lock);

	while (s < p->stack + p->nr && s->bytes < bytes)
		s++;
	if (s == p->stack + p->nr)
		return NULL;
	while (s->nr_free == 0) {
		if (!may_wait || s->count == 0)
			return NULL;
		cond_wait(&s->has_free, &p->lock);
	}
	return s->start + s->bytes * s->free[--s->nr_free];
}

void iobuf_put(struct iobuf_pool *p, void *buf)
{
	struct stack *s = p->stack;
	size_t at;
	LOCK_SCOPE(&p->lock);

	if (!buf)
		return;
	while ((char *)buf >= s->start + s->bytes * s->count)
		s++;
	at = (size_t)((char *)buf - s->start);
	assert(s < p->stack + p->nr && at % s->bytes == 0 && s->nr_free < s->count);
	s->free[s->nr_free++] = (unsigned int)(at / s->bytes);
	cond_signal(&s->has_free);
}

const struct iobuf_region *iobuf_pool_region(const struct iobuf_pool *p)
{
	return &p->region;
}
