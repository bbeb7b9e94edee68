// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of what shall go wrong: parsed, matched, printed. */
#include "tests/stand/faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/parse.h"

static const char *const action_names[NR_FAULT_ACTIONS] = {
	[FAULT_FAIL] = "fail", [FAULT_TORN] = "torn", [FAULT_SHORT] = "short",
	[FAULT_LOSE] = "lose", [FAULT_ROT] = "rot",   [FAULT_SLOW] = "slow",
	[FAULT_HANG] = "hang",
};

static const struct {
	const char *name;
	unsigned int ops;
} op_names[] = {
	{ "read", FAULT_READ },
	{ "write", FAULT_WRITE },
	{ "sync", FAULT_SYNC },
	{ "discard", FAULT_DISCARD },
	{ "any", FAULT_READ | FAULT_WRITE | FAULT_SYNC | FAULT_DISCARD },
};

static const struct {
	const char *name;
	int error;
} error_names[] = {
	{ "EIO", EIO },	      { "ENOSPC", ENOSPC },   { "ENODEV", ENODEV },
	{ "EROFS", EROFS },   { "ENXIO", ENXIO },     { "EREMOTEIO", EREMOTEIO },
	{ "EBADF", EBADF },   { "ENOMEM", ENOMEM },   { "EAGAIN", EAGAIN },
	{ "ESTALE", ESTALE }, { "EDQUOT", EDQUOT },   { "ENOTCONN", ENOTCONN },
	{ "EACCES", EACCES }, { "EPERM", EPERM },     { "ETIMEDOUT", ETIMEDOUT },
	{ "EILSEQ", EILSEQ }, { "EBADMSG", EBADMSG },
};

void faults_init(struct faults *f)
{
	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
	f->random = 1;
}

void faults_add_file(struct faults *f, const char *name, uint64_t bytes)
{
	f->names[f->nr_files] = name;
	f->full_bytes[f->nr_files] = bytes;
	f->bytes[f->nr_files++] = bytes;
}

/* ------------------------------------------------------------------ commands */

static int parse_file(const struct faults *f, const char *word, unsigned int *file)
{
	if (!word)
		return -EINVAL;
	*file = FAULT_ANY_FILE;
	if (strcmp(word, "*") == 0)
		return 0;
	for (unsigned int i = 0; i < f->nr_files; i++) {
		if (strcmp(word, f->names[i]) == 0) {
			*file = i;
			return 0;
		}
	}
	return -ENOENT;
}

static int parse_ops(char *word, unsigned int *ops)
{
	char *rest = NULL;

	*ops = 0;
	for (word = word ? strtok_r(word, "+", &rest) : NULL; word;
	     word = strtok_r(NULL, "+", &rest)) {
		unsigned int i = 0;

		while (i < array_size(op_names) && strcmp(word, op_names[i].name) != 0)
			i++;
		if (i == array_size(op_names))
			return -EINVAL;
		*ops |= op_names[i].ops;
	}
	return *ops ? 0 : -EINVAL;
}

static int parse_error(const char *word, int *error)
{
	for (unsigned int i = 0; i < array_size(error_names); i++) {
		if (strcmp(word, error_names[i].name) == 0) {
			*error = error_names[i].error;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_setting(struct fault_rule *r, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (strcmp(word, "from") == 0)
		return parse_size(value, 0, UINT64_MAX, &r->from);
	if (strcmp(word, "to") == 0)
		return parse_size(value, 1, UINT64_MAX, &r->to);
	if (strcmp(word, "after") == 0)
		return parse_u64(value, 0, UINT64_MAX, &r->after);
	if (strcmp(word, "times") == 0)
		return parse_u64(value, 1, UINT64_MAX, &r->times);
	if (strcmp(word, "ms") == 0 && parse_u64(value, 1, 3600000, &r->end_ns) == 0) {
		r->end_ns = clock_mono_ns() + r->end_ns * NSEC_PER_MSEC;
		return 0;
	}
	if (strcmp(word, "us") == 0)
		return parse_u64(value, 0, 60000000, &r->us);
	if (strcmp(word, "random") == 0)
		return parse_bool(value, &r->is_random);
	if (strcmp(word, "heals") == 0)
		return parse_bool(value, &r->heals);
	if (strcmp(word, "error") == 0)
		return parse_error(value, &r->error);
	return -EINVAL;
}

static int add_rule(struct faults *f, const struct fault_rule *r)
{
	int err = 0;

	pthread_mutex_lock(&f->lock);
	if (f->nr_rules < FAULT_RULES)
		f->rules[f->nr_rules++] = *r;
	else
		err = -ENOSPC;
	pthread_mutex_unlock(&f->lock);
	return err;
}

static int parse_rule(struct faults *f, enum fault_action action, char *rest)
{
	struct fault_rule r = { .action = action, .to = UINT64_MAX, .error = EIO };
	char *word, *state = NULL;
	int err = parse_file(f, strtok_r(rest, " \t", &state), &r.file);

	if (!err)
		err = parse_ops(strtok_r(NULL, " \t", &state), &r.ops);
	while (!err && (word = strtok_r(NULL, " \t", &state)))
		err = parse_setting(&r, word);
	return err ? err : add_rule(f, &r);
}

static int short_rule(struct faults *f, const char *file, unsigned int ops, int error)
{
	struct fault_rule r = { .ops = ops, .to = UINT64_MAX, .error = error };
	int err = parse_file(f, file, &r.file);

	return err ? err : add_rule(f, &r);
}

static int set_size(struct faults *f, char *rest)
{
	char *state = NULL, *word;
	unsigned int file;
	uint64_t bytes;
	int err = parse_file(f, strtok_r(rest, " \t", &state), &file);

	word = strtok_r(NULL, " \t", &state);
	if (err || file == FAULT_ANY_FILE || !word)
		return err ? err : -EINVAL;
	err = parse_size(word, 0, f->full_bytes[file], &bytes);
	if (err)
		return err;
	pthread_mutex_lock(&f->lock);
	f->bytes[file] = bytes;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static void clear(struct faults *f)
{
	pthread_mutex_lock(&f->lock);
	f->nr_rules = 0;
	memcpy(f->bytes, f->full_bytes, sizeof(f->bytes));
	pthread_mutex_unlock(&f->lock);
}

static void drop_hangs(struct faults *f)
{
	unsigned int kept = 0;

	pthread_mutex_lock(&f->lock);
	for (unsigned int i = 0; i < f->nr_rules; i++) {
		if (f->rules[i].action != FAULT_HANG)
			f->rules[kept++] = f->rules[i];
	}
	f->nr_rules = kept;
	pthread_mutex_unlock(&f->lock);
}

int faults_command(struct faults *f, char *line, enum fault_wish *wish)
{
	char *rest = NULL, *verb = strtok_r(line, " \t", &rest);

	*wish = FAULT_WISH_NOTHING;
	if (!verb)
		return 0;
	for (enum fault_action a = 0; a < NR_FAULT_ACTIONS; a++) {
		if (strcmp(verb, action_names[a]) == 0)
			return parse_rule(f, a, rest);
	}
	if (strcmp(verb, "vanish") == 0)
		return short_rule(f, rest, op_names[array_size(op_names) - 1].ops, ENODEV);
	if (strcmp(verb, "readonly") == 0)
		return short_rule(f, rest, FAULT_WRITE | FAULT_DISCARD, EROFS);
	if (strcmp(verb, "size") == 0)
		return set_size(f, rest);
	if (strcmp(verb, "release") == 0)
		drop_hangs(f);
	else if (strcmp(verb, "clear") == 0)
		clear(f);
	else
		return -EINVAL;
	*wish = FAULT_WISH_RELEASE;
	return 0;
}

/* ------------------------------------------------------------------ requests */

static uint64_t next_random(struct faults *f)
{
	f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return f->random >> 33;
}

/* Is the request hit? Counts it. A sync touches everything. */
static bool rule_hits(struct fault_rule *r, unsigned int file, enum fault_op op, uint64_t off,
		      uint64_t bytes)
{
	if (r->heals && op == FAULT_WRITE && (r->file == FAULT_ANY_FILE || r->file == file) &&
	    off < r->to && off + bytes > r->from)
		r->is_over = true;
	if (r->is_over || !(r->ops & op) || (r->file != FAULT_ANY_FILE && r->file != file))
		return false;
	if (r->end_ns && clock_mono_ns() >= r->end_ns)
		return false;
	if (op != FAULT_SYNC && (off >= r->to || off + bytes <= r->from))
		return false;
	if (r->seen++ < r->after || (r->times && r->hits >= r->times))
		return false;
	r->hits++;
	return true;
}

void faults_decide(struct faults *f, unsigned int file, enum fault_op op, uint64_t off,
		   uint64_t bytes, struct fault_fate *fate)
{
	memset(fate, 0, sizeof(*fate));
	pthread_mutex_lock(&f->lock);
	fate->bytes = f->bytes[file];
	for (unsigned int i = 0; i < f->nr_rules; i++) {
		struct fault_rule *r = &f->rules[i];

		if (!rule_hits(r, file, op, off, bytes))
			continue;
		if (r->action == FAULT_FAIL || r->action == FAULT_TORN)
			fate->error = r->error;
		fate->is_torn |= r->action == FAULT_TORN;
		fate->is_short |= r->action == FAULT_SHORT;
		fate->is_lost |= r->action == FAULT_LOSE;
		fate->is_hanging |= r->action == FAULT_HANG;
		if (r->action == FAULT_SLOW)
			fate->us += r->is_random && r->us ? next_random(f) % r->us : r->us;
		if (r->action == FAULT_ROT)
			fate->rotten[fate->nr_rotten++] = max(r->from, off);
	}
	pthread_mutex_unlock(&f->lock);
}

uint64_t faults_file_bytes(struct faults *f, unsigned int file)
{
	uint64_t bytes;

	pthread_mutex_lock(&f->lock);
	bytes = f->bytes[file];
	pthread_mutex_unlock(&f->lock);
	return bytes;
}

size_t faults_print(struct faults *f, char *text, size_t size)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (unsigned int i = 0; i < f->nr_rules && n < size; i++) {
		const struct fault_rule *r = &f->rules[i];
		const char *file = r->file == FAULT_ANY_FILE ? "*" : f->names[r->file];

		n += (size_t)snprintf(text + n, size - n, "%s %s seen=%llu hits=%llu\n",
				      action_names[r->action], file, (unsigned long long)r->seen,
				      (unsigned long long)r->hits);
	}
	pthread_mutex_unlock(&f->lock);
	return min(n, size);
}
