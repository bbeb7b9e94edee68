// SPDX-License-Identifier: GPL-2.0-or-later
/* Which operations fail, wait or hang. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/nsec.h"
#include "tests/stand/faultdir/faultdir.h"

#define RULES_MAX 64
#define PATTERN_BYTES 256

struct rule {
	unsigned int id; /* 0: free */
	int op;		 /* FAULT_NR: all */
	char pattern[PATTERN_BYTES];
	int error;
	bool is_hanging, loses;
	uint64_t after, times, percent, delay_ms; /* times: UINT64_MAX without an end */
	uint64_t seen, hit;
};

static struct {
	struct mutex lock;
	struct cond changed;
	struct rule rule[RULES_MAX];
	unsigned int last_id, hanging;
	uint64_t count[FAULT_NR], random;
} rules;

const char *const fault_op_name[FAULT_NR] = {
	"lookup",  "getattr",	"setattr",  "truncate", "open",	    "create", "read",  "write",
	"fsync",   "fallocate", "seek",	    "rename",	"unlink",   "link",   "mkdir", "rmdir",
	"symlink", "readdir",	"fsyncdir", "getxattr", "setxattr", "statfs",
};

static const struct {
	const char *name;
	int error;
} errors[] = {
	{ "ok", 0 },
	{ "ignored", FAULT_IGNORED },
	{ "EIO", EIO },
	{ "ENOSPC", ENOSPC },
	{ "EROFS", EROFS },
	{ "ESTALE", ESTALE },
	{ "ENOTCONN", ENOTCONN },
	{ "EDQUOT", EDQUOT },
	{ "EACCES", EACCES },
	{ "ETIMEDOUT", ETIMEDOUT },
	{ "EPERM", EPERM },
	{ "ENOENT", ENOENT },
	{ "EOPNOTSUPP", EOPNOTSUPP },
	{ "EAGAIN", EAGAIN },
	{ "EHOSTDOWN", EHOSTDOWN },
	{ "EINVAL", EINVAL },
	{ "ENOSYS", ENOSYS },
};

void rules_init(void)
{
	mutex_init(&rules.lock, 2, "rules");
	cond_init(&rules.changed);
	rules.random = (uint64_t)getpid();
}

static bool draw(uint64_t percent)
{
	rules.random = rules.random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (rules.random >> 33) % 100 < percent;
}

static bool fits(struct rule *r, enum fault_op op, const char *path)
{
	if (!r->id || (r->op != FAULT_NR && r->op != (int)op) || fnmatch(r->pattern, path, 0) != 0)
		return false;
	if (r->seen++ < r->after || r->hit >= r->times || !draw(r->percent))
		return false;
	r->hit++;
	return true;
}

static struct rule *find_locked(enum fault_op op, const char *path)
{
	for (unsigned int i = 0; i < RULES_MAX; i++)
		if (fits(&rules.rule[i], op, path))
			return &rules.rule[i];
	return NULL;
}

/* The lock is let go of meanwhile. */
static void hang_locked(const struct rule *r)
{
	unsigned int id = r->id;

	rules.hanging++;
	while (r->id == id)
		cond_wait(&rules.changed, &rules.lock);
	rules.hanging--;
}

int rules_apply(enum fault_op op, const char *path, bool *lose)
{
	uint64_t delay_ms = 0;
	struct rule *r;
	int error = 0;

	mutex_lock(&rules.lock);
	rules.count[op]++;
	r = find_locked(op, path);
	if (r) {
		error = r->error;
		delay_ms = r->delay_ms;
		if (lose)
			*lose = r->loses && error;
		if (r->is_hanging)
			hang_locked(r);
	}
	mutex_unlock(&rules.lock);
	if (delay_ms)
		usleep((useconds_t)delay_ms * 1000);
	return error;
}

static void clear(void)
{
	LOCK_SCOPE(&rules.lock);

	for (unsigned int i = 0; i < RULES_MAX; i++)
		rules.rule[i].id = 0;
	cond_broadcast(&rules.changed);
}

static bool set_op(struct rule *r, const char *word)
{
	for (r->op = 0; r->op < FAULT_NR; r->op++)
		if (strcmp(fault_op_name[r->op], word) == 0)
			return true;
	return strcmp(word, "all") == 0;
}

static bool set_what(struct rule *r, const char *word)
{
	r->is_hanging = strcmp(word, "hang") == 0;
	if (r->is_hanging)
		return true;
	for (size_t i = 0; i < array_size(errors); i++)
		if (strcmp(errors[i].name, word) == 0) {
			r->error = errors[i].error;
			return true;
		}
	return false;
}

static bool set_key(struct rule *r, const char *word)
{
	unsigned long long value;

	if (strcmp(word, "lose") == 0) {
		r->loses = true;
		return true;
	}
	if (sscanf(word, "after=%llu", &value) == 1)
		r->after = value;
	else if (sscanf(word, "times=%llu", &value) == 1)
		r->times = value;
	else if (sscanf(word, "percent=%llu", &value) == 1)
		r->percent = value;
	else if (sscanf(word, "delay=%llu", &value) == 1)
		r->delay_ms = value;
	else
		return false;
	return true;
}

static bool add(const struct rule *new)
{
	LOCK_SCOPE(&rules.lock);

	for (unsigned int i = 0; i < RULES_MAX; i++) {
		if (rules.rule[i].id)
			continue;
		rules.rule[i] = *new;
		rules.rule[i].id = ++rules.last_id;
		return true;
	}
	return false;
}

bool rules_command(char *line)
{
	struct rule r = { .times = UINT64_MAX, .percent = 100 };
	char *rest, *op = strtok_r(line, " ", &rest), *pattern, *what, *word;

	if (op && strcmp(op, "clear") == 0) {
		clear();
		return true;
	}
	pattern = strtok_r(NULL, " ", &rest);
	what = strtok_r(NULL, " ", &rest);
	if (!op || !pattern || !what || strlen(pattern) >= sizeof(r.pattern))
		return false;
	strcpy(r.pattern, pattern);
	if (!set_op(&r, op) || !set_what(&r, what))
		return false;
	while ((word = strtok_r(NULL, " ", &rest)))
		if (!set_key(&r, word))
			return false;
	return add(&r);
}

char *rules_text(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	mutex_lock(&rules.lock);
	for (unsigned int i = 0; i < RULES_MAX; i++) {
		const struct rule *r = &rules.rule[i];

		if (r->id)
			fprintf(f, "rule %u %s %s seen=%llu hit=%llu\n", r->id,
				r->op == FAULT_NR ? "all" : fault_op_name[r->op], r->pattern,
				(unsigned long long)r->seen, (unsigned long long)r->hit);
	}
	fprintf(f, "hanging %u\n", rules.hanging);
	for (unsigned int i = 0; i < FAULT_NR; i++)
		fprintf(f, "%s %llu\n", fault_op_name[i], (unsigned long long)rules.count[i]);
	mutex_unlock(&rules.lock);
	fclose(f);
	return text;
}
