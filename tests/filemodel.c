// SPDX-License-Identifier: GPL-2.0-or-later
/* What files must hold while their daemon is killed. */
#include "tests/filemodel.h"

#include <stdio.h>
#include <string.h>

#include "common/align.h"

void name_of(int slot, char *name)
{
	snprintf(name, 16, "f%d", slot);
}

struct slot *model_begin(struct model *m, int slot)
{
	m->slot[0] = slot;
	m->next[0] = m->now[slot];
	return &m->next[0];
}

void model_begin_both(struct model *m, int a, int b)
{
	m->slot[0] = a;
	m->slot[1] = b;
	m->next[0] = m->now[a];
	m->next[1] = m->now[b];
}

void model_under_way(struct model *m, int slots, bool is_write)
{
	m->is_write = is_write;
	__atomic_store_n(&m->under_way, slots, __ATOMIC_RELEASE);
}

void model_acknowledged(struct model *m)
{
	for (int i = 0; i < m->under_way; i++)
		m->now[m->slot[i]] = m->next[i];
	__atomic_store_n(&m->under_way, 0, __ATOMIC_RELEASE);
	m->ops++;
}

void model_fill(struct slot *s, uint64_t *random, uint32_t off, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		s->data[off + i] = (uint8_t)below(random, 256);
	s->size = max(s->size, off + len);
}

void model_truncate(struct slot *s, uint32_t size)
{
	if (size < s->size)
		memset(s->data + size, 0, s->size - size);
	s->size = size;
}

void model_zero(struct slot *s, uint32_t off, uint32_t len)
{
	memset(s->data + off, 0, len);
}

static bool is_same(const struct slot *a, const struct slot *b)
{
	if (!a->exists || !b->exists)
		return a->exists == b->exists;
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* Each byte of now or of next. */
static bool is_mixed(const struct slot *is, const struct slot *now, const struct slot *next)
{
	if (!is->exists || is->size < min(now->size, next->size) ||
	    is->size > max(now->size, next->size))
		return false;
	for (uint32_t i = 0; i < is->size; i++)
		if (is->data[i] != now->data[i] && is->data[i] != next->data[i])
			return false;
	return true;
}

static bool is_possible(const struct model *m, const struct slot *is)
{
	if (m->under_way == 0)
		return true;
	if (m->under_way == 1) {
		const struct slot *s = &is[m->slot[0]], *now = &m->now[m->slot[0]];

		return is_same(s, now) || is_same(s, &m->next[0]) ||
		       (m->is_write && is_mixed(s, now, &m->next[0]));
	}
	return (is_same(&is[m->slot[0]], &m->now[m->slot[0]]) &&
		is_same(&is[m->slot[1]], &m->now[m->slot[1]])) ||
	       (is_same(&is[m->slot[0]], &m->next[0]) && is_same(&is[m->slot[1]], &m->next[1]));
}

static bool is_under_way(const struct model *m, int slot)
{
	for (int i = 0; i < m->under_way; i++)
		if (m->slot[i] == slot)
			return true;
	return false;
}

int model_settle(struct model *m, const struct slot *is, const struct slot **want)
{
	for (int i = 0; i < SLOTS; i++) {
		*want = &m->now[i];
		if (!is_under_way(m, i) && !is_same(&is[i], &m->now[i]))
			return i;
	}
	*want = &m->now[m->slot[0]];
	if (!is_possible(m, is))
		return m->slot[0];
	memcpy(m->now, is, SLOTS * sizeof(*is));
	m->under_way = 0;
	return -1;
}

uint32_t slot_differs_at(const struct slot *a, const struct slot *b)
{
	uint32_t i = 0;

	while (i < a->size && i < b->size && a->data[i] == b->data[i])
		i++;
	return i;
}
