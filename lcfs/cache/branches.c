// SPDX-License-Identifier: GPL-2.0-or-later
/* Which records are abandoned. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lcfs/cache/branches.h"

void branches_free(struct branches *b)
{
	free(b->start);
	*b = (struct branches){ 0 };
}

/* Index of the first start whose branch is at least `branch`, or nr. */
static size_t branches_find(const struct branches *b, uint64_t branch)
{
	size_t low = 0, high = b->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (b->start[mid].branch < branch)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int branches_reserve(struct branches *b)
{
	size_t room = b->room ? 2 * b->room : 16;
	struct branch_start *start;

	if (b->nr < b->room)
		return 0;
	start = realloc(b->start, room * sizeof(*start));
	if (!start)
		return -ENOMEM;
	b->start = start;
	b->room = room;
	return 0;
}

int branches_add(struct branches *b, uint64_t branch, uint64_t lsn)
{
	size_t at = branches_find(b, branch), from = at, to = at;
	int ret;

	if (at < b->nr && b->start[at].lsn <= lsn)
		return 0;
	ret = branches_reserve(b);
	if (ret)
		return ret;

	/* superfluous now: the same branch, begun later, and all lower ones that begin later */
	if (to < b->nr && b->start[to].branch == branch)
		to++;
	while (from > 0 && b->start[from - 1].lsn >= lsn)
		from--;
	memmove(b->start + from + 1, b->start + to, (b->nr - to) * sizeof(*b->start));
	b->start[from] = (struct branch_start){ .branch = branch, .lsn = lsn };
	b->nr = b->nr - (to - from) + 1;
	b->learnt++;
	return 0;
}

uint64_t branches_limit(const struct branches *b, uint64_t branch)
{
	size_t at = branches_find(b, branch);

	if (at < b->nr && b->start[at].branch == branch)
		at++;
	return at < b->nr ? b->start[at].lsn : UINT64_MAX;
}
