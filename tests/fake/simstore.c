// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backing files in memory: the two faces of a file, view and stable, and the changes between them.
 *
 * Both faces are changed by the same function, face_apply(), so that what a power cut keeps of a
 * change is done to `stable` exactly as it was done to `view`.
 */
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/fake/simstore.h"

#define SECTOR 512u

static void *alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

/* ---- one face ---- */

static void grow(struct simfile *f, uint64_t end)
{
	uint64_t capacity = align_up(end, 64 << 10);

	if (capacity <= f->capacity)
		return;
	f->view.bytes = realloc(f->view.bytes, capacity);
	f->stable.bytes = realloc(f->stable.bytes, capacity);
	if (!f->view.bytes || !f->stable.bytes)
		abort();
	memset(f->view.bytes + f->capacity, 0, capacity - f->capacity);
	memset(f->stable.bytes + f->capacity, 0, capacity - f->capacity);
	f->capacity = capacity;
}

static void face_resize(struct simfile *f, struct simface *face, uint64_t size)
{
	grow(f, size);
	if (size < face->stamp.size)
		memset(face->bytes + size, 0, face->stamp.size - size);
	face->stamp.size = size;
}

static void face_punch(struct simface *face, uint64_t off, uint64_t len)
{
	if (off >= face->stamp.size)
		return;
	memset(face->bytes + off, 0, min(len, face->stamp.size - off));
}

static uint64_t nr_sectors(const struct simchange *ch)
{
	return div_round_up(ch->off + ch->len, SECTOR) - ch->off / SECTOR;
}

/* Bytes of sector s of a write: from *lo to the value returned, both in the file. */
static uint64_t sector_range(const struct simchange *ch, uint64_t s, uint64_t *lo)
{
	uint64_t base = align_down(ch->off, SECTOR) + s * SECTOR;

	*lo = max(base, ch->off);
	return min(base + SECTOR, ch->off + ch->len);
}

static void face_write_sector(struct simfile *f, struct simface *face, const struct simchange *ch,
			      uint64_t s)
{
	uint64_t lo, hi = sector_range(ch, s, &lo);

	if (hi > face->stamp.size)
		face_resize(f, face, hi);
	memcpy(face->bytes + lo, ch->data + (lo - ch->off), hi - lo);
}

/* Changes are gone through in order of issue: the times are those of the one that was applied last.
 */
static void face_times(struct simface *face, const struct simchange *ch)
{
	if (ch->ctime < face->stamp.ctime)
		return;
	face->stamp.mtime = ch->mtime;
	face->stamp.ctime = ch->ctime;
}

/* All of a change but the sectors of a write. */
static void face_apply(struct simfile *f, struct simface *face, const struct simchange *ch)
{
	if (ch->kind == SIMCHANGE_TRUNCATE)
		face_resize(f, face, ch->off);
	else if (ch->kind == SIMCHANGE_PUNCH)
		face_punch(face, ch->off, ch->len);
	face_times(face, ch);
}

/* ---- steps of a change ---- */

static struct simchange *change_issue(struct simfile *f, enum simchange_kind kind, uint64_t off,
				      uint64_t len)
{
	struct simchange *ch = alloc(sizeof(*ch));

	ch->kind = kind;
	ch->off = off;
	ch->len = len;
	list_add_tail(&f->changes, &ch->node);
	return ch;
}

struct simchange *simfile_write_issue(struct simfile *f, const struct iovec *iov, int nr_iov,
				      uint64_t off)
{
	struct simchange *ch;
	uint64_t len = 0;
	uint8_t *to;

	for (int i = 0; i < nr_iov; i++)
		len += iov[i].iov_len;
	ch = change_issue(f, SIMCHANGE_WRITE, off, len);
	ch->data = to = alloc(len);
	ch->is_done = alloc(nr_sectors(ch));
	for (int i = 0; i < nr_iov; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	return ch;
}

struct simchange *simfile_truncate_issue(struct simfile *f, uint64_t size)
{
	return change_issue(f, SIMCHANGE_TRUNCATE, size, 0);
}

struct simchange *simfile_punch_issue(struct simfile *f, uint64_t off, uint64_t len)
{
	return change_issue(f, SIMCHANGE_PUNCH, off, len);
}

struct simchange *simfile_times_issue(struct simfile *f, int64_t mtime_ns)
{
	struct simchange *ch = change_issue(f, SIMCHANGE_TIMES, 0, 0);

	ch->set_mtime = mtime_ns;
	return ch;
}

bool simchange_is_unchanged(const struct simchange *ch, const struct iovec *iov, int nr_iov)
{
	const uint8_t *from = ch->data;

	for (int i = 0; i < nr_iov; i++) {
		if (memcmp(from, iov[i].iov_base, iov[i].iov_len))
			return false;
		from += iov[i].iov_len;
	}
	return true;
}

void simfile_apply(struct simfile *f, struct simchange *ch, struct rng *rng)
{
	bool is_first = !ch->is_applied;

	if (is_first) {
		ch->ctime = f->store->now_ns;
		ch->mtime = ch->kind == SIMCHANGE_TIMES ? ch->set_mtime : ch->ctime;
		ch->is_applied = true;
		face_apply(f, &f->view, ch);
	}
	if (ch->kind != SIMCHANGE_WRITE)
		return;
	for (uint64_t s = 0; s < nr_sectors(ch); s++) {
		if (ch->is_done[s] || (rng && rng_chance(rng, 1, 2)))
			continue;
		face_write_sector(f, &f->view, ch, s);
		ch->is_done[s] = 1;
	}
}

static void mark_returned(struct simfile *f, struct simchange *ch)
{
	ch->is_returned = true;
	ch->returned_at = ++f->clock;
}

static void change_free(struct simchange *ch)
{
	list_del(&ch->node);
	free(ch->data);
	free(ch->is_done);
	free(ch);
}

void simfile_return(struct simfile *f, struct simchange *ch)
{
	simfile_apply(f, ch, NULL);
	mark_returned(f, ch);
}

void simfile_fail(struct simfile *f, struct simchange *ch)
{
	if (ch->is_applied)
		mark_returned(f, ch);
	else
		change_free(ch);
}

void simfile_read(const struct simfile *f, const struct iovec *iov, int nr_iov, uint64_t off)
{
	for (int i = 0; i < nr_iov; i++) {
		uint64_t n =
			off < f->capacity ? min_t(uint64_t, iov[i].iov_len, f->capacity - off) : 0;

		memcpy(iov[i].iov_base, f->view.bytes + (n ? off : 0), n);
		memset((uint8_t *)iov[i].iov_base + n, 0, iov[i].iov_len - n);
		off += iov[i].iov_len;
	}
}

/* ---- sync ---- */

uint64_t simfile_sync_issue(struct simfile *f)
{
	return ++f->clock;
}

static bool sync_covers(uint64_t ticket, const struct simchange *ch)
{
	return ch->is_returned && ch->returned_at < ticket;
}

/* Of a write only what has been applied: the rest was answered with an error. */
static void make_stable(struct simfile *f, const struct simchange *ch)
{
	face_apply(f, &f->stable, ch);
	if (ch->kind != SIMCHANGE_WRITE)
		return;
	for (uint64_t s = 0; s < nr_sectors(ch); s++)
		if (ch->is_done[s])
			face_write_sector(f, &f->stable, ch, s);
}

void simfile_sync_done(struct simfile *f, uint64_t ticket)
{
	struct simchange *ch, *next;

	f->is_named = true;
	list_for_each_entry_safe(ch, next, &f->changes, node) {
		if (!sync_covers(ticket, ch))
			continue;
		make_stable(f, ch);
		change_free(ch);
	}
}

static bool is_rewritten(const struct simfile *f, const struct simchange *ch, uint64_t lo,
			 uint64_t hi)
{
	const struct simchange *other;

	list_for_each_entry(other, &f->changes, node)
		if (other != ch && (other->kind != SIMCHANGE_WRITE ||
				    (other->off < hi && lo < other->off + other->len)))
			return true;
	return false;
}

/* The page cache forgets a sector that could not be written. */
static void forget_sector(struct simfile *f, const struct simchange *ch, uint64_t s)
{
	uint64_t lo, hi = sector_range(ch, s, &lo);

	if (!is_rewritten(f, ch, lo, hi) && hi <= f->view.stamp.size)
		memcpy(f->view.bytes + lo, f->stable.bytes + lo, hi - lo);
}

void simfile_sync_fail(struct simfile *f, uint64_t ticket, struct rng *rng)
{
	struct simchange *ch, *next;

	list_for_each_entry_safe(ch, next, &f->changes, node) {
		if (!sync_covers(ticket, ch) || ch->kind != SIMCHANGE_WRITE)
			continue;
		face_times(&f->stable, ch);
		for (uint64_t s = 0; s < nr_sectors(ch); s++) {
			if (ch->is_done[s] && rng_chance(rng, 1, 2))
				face_write_sector(f, &f->stable, ch, s);
			else
				forget_sector(f, ch, s);
		}
		change_free(ch);
	}
}

void simfile_edit(struct simfile *f, const void *data, uint64_t len, uint64_t off)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct simchange *ch;

	if (!list_is_empty(&f->changes))
		abort();
	ch = simfile_write_issue(f, &iov, 1, off);
	simfile_return(f, ch);
	simfile_sync_done(f, simfile_sync_issue(f));
}

/* ---- the end of a daemon, the end of power ---- */

static void settle_change(struct simfile *f, struct simchange *ch, struct rng *rng)
{
	uint64_t fate = rng ? rng_below(rng, 3) : 0;

	if (fate == 0)
		simfile_apply(f, ch, NULL);
	else if (fate == 1)
		simfile_apply(f, ch, rng);
	simfile_fail(f, ch);
}

void simstore_settle(struct simstore *st, struct rng *rng)
{
	struct simfile *f;
	struct simchange *ch, *next;

	list_for_each_entry(f, &st->files, node)
		list_for_each_entry_safe(ch, next, &f->changes, node)
			if (!ch->is_returned)
				settle_change(f, ch, rng);
}

static void cut_write(struct simfile *f, struct powercut *pc, const struct simchange *ch)
{
	uint64_t end = ch->off + ch->len;
	bool is_kept = false;

	for (uint64_t s = 0; s < nr_sectors(ch); s++) {
		if (ch->is_returned && !ch->is_done[s])
			continue;
		if (!powercut_keeps_sector(pc))
			continue;
		face_write_sector(f, &f->stable, ch, s);
		is_kept = true;
	}
	if (!is_kept)
		return;
	/* The size may be there without the last data, and the data without the times. */
	if (end > f->stable.stamp.size && rng_chance(&pc->rng, 1, 2))
		face_resize(f, &f->stable, end);
	if (ch->is_applied && rng_chance(&pc->rng, 1, 2))
		face_times(&f->stable, ch);
}

static void cut_change(struct simfile *f, struct powercut *pc, struct simchange *ch)
{
	powercut_next_write(pc, !ch->is_returned);
	if (!ch->is_applied) {
		/* It happened in the last moment. */
		ch->ctime = f->store->now_ns;
		ch->mtime = ch->kind == SIMCHANGE_TIMES ? ch->set_mtime : ch->ctime;
		ch->is_applied = true;
	}
	if (ch->kind == SIMCHANGE_WRITE)
		cut_write(f, pc, ch);
	else if (powercut_keeps_sector(pc))
		face_apply(f, &f->stable, ch);
}

static void cut_name(struct simfile *f, struct powercut *pc)
{
	if (f->is_named)
		return;
	powercut_next_write(pc, false);
	f->is_gone |= !powercut_keeps_sector(pc);
	f->is_named = true;
}

void simstore_power_cut(struct simstore *st, enum cut_policy policy, uint64_t seed)
{
	struct simfile *f;
	struct simchange *ch, *next;
	struct powercut pc;
	uint64_t n = 0;

	list_for_each_entry(f, &st->files, node) {
		n += !f->is_named;
		list_for_each_entry(ch, &f->changes, node)
			n++;
	}
	powercut_init(&pc, policy, seed, n);
	list_for_each_entry(f, &st->files, node) {
		cut_name(f, &pc);
		list_for_each_entry_safe(ch, next, &f->changes, node) {
			cut_change(f, &pc, ch);
			change_free(ch);
		}
		memcpy(f->view.bytes, f->stable.bytes, f->capacity);
		f->view.stamp = f->stable.stamp;
	}
}

/* ---- life ---- */

struct simstore *simstore_new(void)
{
	struct simstore *st = alloc(sizeof(*st));

	list_init(&st->files);
	st->next_ino = 100;
	return st;
}

static struct simfile *file_new(struct simstore *st, const char *path, uint64_t ino)
{
	struct simfile *f = alloc(sizeof(*f));

	f->store = st;
	f->ino = ino;
	if (strlen(path) >= sizeof(f->path))
		abort();
	strcpy(f->path, path);
	list_init(&f->changes);
	list_add_tail(&st->files, &f->node);
	return f;
}

struct simfile *simstore_create(struct simstore *st, const char *path, uint64_t size)
{
	struct simfile *f = file_new(st, path, st->next_ino++);

	grow(f, size ? size : 1);
	f->view.stamp = (struct simstamp){ .size = size, .mtime = st->now_ns, .ctime = st->now_ns };
	f->stable.stamp = f->view.stamp;
	f->is_named = true;
	return f;
}

struct simfile *simstore_find(struct simstore *st, uint64_t ino)
{
	struct simfile *f;

	list_for_each_entry(f, &st->files, node)
		if (f->ino == ino && !f->is_gone)
			return f;
	return NULL;
}

void simstore_free(struct simstore *st)
{
	struct simfile *f;
	struct simchange *ch, *next;

	if (!st)
		return;
	while ((f = list_pop_head(&st->files, struct simfile, node)) != NULL) {
		list_for_each_entry_safe(ch, next, &f->changes, node)
			change_free(ch);
		free(f->view.bytes);
		free(f->stable.bytes);
		free(f);
	}
	free(st);
}

static void change_copy(struct simfile *to, const struct simchange *ch)
{
	struct simchange *c = alloc(sizeof(*c));

	*c = *ch;
	if (ch->kind == SIMCHANGE_WRITE) {
		c->data = alloc(ch->len);
		memcpy(c->data, ch->data, ch->len);
		c->is_done = alloc(nr_sectors(ch));
		memcpy(c->is_done, ch->is_done, nr_sectors(ch));
	}
	list_add_tail(&to->changes, &c->node);
}

struct simstore *simstore_clone(const struct simstore *st)
{
	struct simstore *copy = simstore_new();
	const struct simfile *f;
	const struct simchange *ch;

	copy->next_ino = st->next_ino;
	copy->now_ns = st->now_ns;
	list_for_each_entry(f, &st->files, node) {
		struct simfile *c = file_new(copy, f->path, f->ino);

		grow(c, f->capacity);
		c->is_gone = f->is_gone;
		c->is_named = f->is_named;
		c->is_promised = f->is_promised;
		c->clock = f->clock;
		memcpy(c->view.bytes, f->view.bytes, f->capacity);
		memcpy(c->stable.bytes, f->stable.bytes, f->capacity);
		c->view.stamp = f->view.stamp;
		c->stable.stamp = f->stable.stamp;
		list_for_each_entry(ch, &f->changes, node)
			change_copy(c, ch);
	}
	return copy;
}
