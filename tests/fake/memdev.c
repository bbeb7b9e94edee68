// SPDX-License-Identifier: GPL-2.0-or-later
/* A block device in memory, with faults and a model of time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/align.h"
#include "tests/fake/memdev.h"

static struct memdev *memdev_of(struct blkdev *dev)
{
	return container_of(dev, struct memdev, dev);
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_range(const struct memdev *m, const void *buf, uint64_t len, uint64_t off)
{
	require(len > 0 && is_aligned(len, 4096) && is_aligned(off, 4096));
	require(off <= m->dev.bytes && len <= m->dev.bytes - off);
	require(is_aligned((uintptr_t)buf, 4096));
}

/* The error that this operation fails with, or 0. */
static int fault(struct memdev *m)
{
	if (m->fail_at == 0)
		return 0;
	if (m->fail_at > 1) {
		m->fail_at--;
		return 0;
	}
	if (!m->fail_for_ever)
		m->fail_at = 0;
	return m->fail_error;
}

/* When len bytes that are asked for now will be there. */
static uint64_t transfer(struct memdev *m, uint64_t len)
{
	if (!m->bytes_per_us)
		return m->now_ns + m->latency_ns;
	m->busy_ns = max(m->busy_ns, m->now_ns) + len * 1000 / m->bytes_per_us;
	return m->busy_ns + m->latency_ns;
}

static void pass_time(struct memdev *m, uint64_t len, uint64_t off)
{
	if (m->latency_ns == 0)
		return;
	for (uint32_t i = 0; i < MEMDEV_HINTS; i++) {
		struct memdev_hint *hint = &m->hint[i];

		if (hint->off != off || hint->len != len)
			continue;
		m->now_ns = max(m->now_ns, hint->ready_ns);
		m->hints_used++;
		*hint = (struct memdev_hint){ 0 };
		return;
	}
	m->now_ns = transfer(m, len);
}

static int memdev_read(struct blkdev *dev, void *buf, uint64_t len, uint64_t off)
{
	struct memdev *m = memdev_of(dev);
	int ret;

	check_range(m, buf, len, off);
	m->reads++;
	m->read_bytes += len;
	pass_time(m, len, off);
	ret = fault(m);
	if (off < m->bad_at + m->bad_bytes && m->bad_at < off + len)
		ret = -EIO;
	if (ret)
		return ret;
	if (m->on_read)
		m->on_read(m, len, off);
	memcpy(buf, m->bytes + off, len);
	return 0;
}

static int memdev_write(struct blkdev *dev, const void *buf, uint64_t len, uint64_t off)
{
	struct memdev *m = memdev_of(dev);
	int ret;

	check_range(m, buf, len, off);
	m->writes++;
	m->write_bytes += len;
	ret = fault(m);
	if (ret)
		return ret;
	memcpy(m->bytes + off, buf, len);
	return 0;
}

static int memdev_flush(struct blkdev *dev)
{
	struct memdev *m = memdev_of(dev);

	m->flushes++;
	return fault(m);
}

static void memdev_prefetch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	struct memdev *m = memdev_of(dev);

	check_range(m, NULL, len, off);
	m->hints++;
	if (m->latency_ns == 0)
		return;
	m->hint[m->next_hint++ % MEMDEV_HINTS] = (struct memdev_hint){
		.off = off,
		.len = len,
		.ready_ns = transfer(m, len),
	};
}

static void memdev_close(struct blkdev *dev)
{
	memdev_free(memdev_of(dev));
}

struct memdev *memdev_new(uint64_t bytes)
{
	static const struct blkdev_ops ops = {
		.read = memdev_read,
		.write = memdev_write,
		.flush = memdev_flush,
		.prefetch = memdev_prefetch,
		.close = memdev_close,
	};
	struct memdev *m = calloc(1, sizeof(*m));

	require(m && bytes > 0 && is_aligned(bytes, 4096));
	m->bytes = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	require(m->bytes != MAP_FAILED);
	m->dev.ops = &ops;
	m->dev.bytes = bytes;
	return m;
}

void memdev_free(struct memdev *m)
{
	if (!m)
		return;
	munmap(m->bytes, m->dev.bytes);
	free(m);
}

void memdev_reset(struct memdev *m)
{
	struct memdev new = { .dev = m->dev, .bytes = m->bytes };

	*m = new;
}
