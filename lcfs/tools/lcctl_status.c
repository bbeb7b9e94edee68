// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl status and list. */
#include "lcfs/tools/lcctl_status.h"

#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/messages.h"
#include "lcfs/ondisk/version.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_table.h"

/* ---------------------------------------------------------------- caches */

void cache_facts(const struct tree *t, uint32_t id, struct cache_facts *f)
{
	uint64_t blocks;

	*f = (struct cache_facts){ .id = id };
	(void)tree_link(t, f->device, sizeof(f->device), "caches/%u/device", id);
	(void)tree_text(t, f->state, sizeof(f->state), "caches/%u/state", id);
	(void)tree_text(t, f->reason, sizeof(f->reason), "caches/%u/reason", id);
	f->has_dirty = tree_number(t, &f->dirty, "caches/%u/dirty_bytes", id);
	if (!f->has_dirty && tree_number(t, &blocks, "caches/%u/nr_dirty_caches", id)) {
		f->has_dirty = true;
		f->dirty = blocks * BLOCK_BYTES;
	}
	f->has_age = tree_number(t, &f->age_ms, "caches/%u/dirty_age_ms", id);
	f->has_log = tree_number(t, &f->segments, "caches/%u/nr_segments", id) &&
		     tree_number(t, &f->flushed, "caches/%u/last_flushed_segment_id", id) &&
		     tree_number(t, &f->migrated, "caches/%u/last_migrated_segment_id", id);
	f->has_migrating = tree_number(t, &f->migrating, "caches/%u/migrating", id);
	f->has_allowed = tree_number(t, &f->allowed, "caches/%u/allow_migrate", id);
	f->has_forced = tree_number(t, &f->forced, "caches/%u/force_migrate", id);
}

bool cache_is_well(const struct cache_facts *f)
{
	return !*f->state || strcmp(f->state, "ok") == 0;
}

const char *cache_migration(const struct cache_facts *f)
{
	if (!f->has_migrating)
		return NULL;
	if (f->migrating)
		return f->has_forced && f->forced ? "forced" : "running";
	return f->has_allowed && !f->allowed ? "held" : "idle";
}

/* Segments of the log that are in use. */
static uint64_t segments_used(const struct cache_facts *f)
{
	return f->flushed > f->migrated ? f->flushed - f->migrated : 0;
}

static const struct column cache_columns[] = {
	{ "CACHE", "id", CELL_COUNT, 0 },
	{ "DEVICE", "device", CELL_TEXT, 0 },
	{ "STATE", "state", CELL_TEXT, 0 },
	{ "REASON", "reason", CELL_TEXT, 0 },
	{ "DIRTY", "dirty_bytes", CELL_BYTES, 0 },
	{ "OLDEST", "dirty_age_seconds", CELL_SECONDS, 0 },
	{ "SEGMENTS", "nr_segments", CELL_COUNT, 0 },
	{ "USED", "used_segments", CELL_COUNT, 0 },
	{ "FLUSHED", "last_flushed_segment_id", CELL_COUNT, 0 },
	{ "MIGRATED", "last_migrated_segment_id", CELL_COUNT, 0 },
	{ "MIGRATION", "migration", CELL_TEXT, 0 },
};

static void cache_row(struct table *table, const struct cache_facts *f)
{
	table_number(table, true, f->id);
	table_text(table, *f->device ? f->device : NULL);
	table_text(table, *f->state ? f->state : NULL);
	table_text(table, *f->reason ? f->reason : NULL);
	table_number(table, f->has_dirty, f->dirty);
	table_number(table, f->has_age, f->age_ms);
	table_number(table, f->has_log, f->segments);
	table_number(table, f->has_log, segments_used(f));
	table_number(table, f->has_log, f->flushed);
	table_number(table, f->has_log, f->migrated);
	table_text(table, cache_migration(f));
}

/* ---------------------------------------------------------------- images */

#define STATES 8

/* How many images are in which state, and those that are held. */
struct census {
	size_t nr, nr_states;
	struct {
		char state[32];
		size_t nr;
	} state[STATES];
	struct table held;
};

static const struct column held_columns[] = {
	{ "IMAGE", "name", CELL_TEXT, 0 },
	{ "STATE", "state", CELL_TEXT, 0 },
	{ "REASON", "reason", CELL_TEXT, 0 },
	{ "DIRTY", "dirty_bytes", CELL_BYTES, 0 },
};

static void census_add(struct census *s, const struct image_facts *f)
{
	const char *state = *f->state ? f->state : "unknown";
	size_t i;

	s->nr++;
	for (i = 0; i < s->nr_states; i++)
		if (strcmp(s->state[i].state, state) == 0)
			break;
	if (i == s->nr_states && i < STATES) {
		snprintf(s->state[i].state, sizeof(s->state[i].state), "%s", state);
		s->nr_states++;
	}
	if (i < STATES)
		s->state[i].nr++;
	if (!image_is_held(f))
		return;
	table_text(&s->held, f->name);
	table_text(&s->held, f->state);
	table_text(&s->held, *f->reason ? f->reason : NULL);
	table_number(&s->held, f->has_dirty, f->dirty);
}

static bool census_take(const struct tree *t, struct census *s)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	*s = (struct census){ 0 };
	table_init(&s->held, held_columns, array_size(held_columns));
	if (!tree_ids(t, "devices", &ids, &nr))
		return false;
	for (size_t i = 0; i < nr; i++) {
		struct image_facts f;

		if (image_facts(t, ids[i], &f))
			census_add(s, &f);
	}
	return true;
}

/* ---------------------------------------------------------------- status */

struct report {
	struct tree tree;
	struct cache_facts *cache;
	size_t nr_caches;
	struct census census;
	char version[64], transport[16];
};

static bool report_load(struct report *r)
{
	CLEANUP_FREE uint32_t *ids = NULL;

	(void)tree_text(&r->tree, r->version, sizeof(r->version), "version");
	(void)tree_text(&r->tree, r->transport, sizeof(r->transport), "transport");
	if (!tree_ids(&r->tree, "caches", &ids, &r->nr_caches))
		return false;
	r->cache = calloc(r->nr_caches + 1, sizeof(*r->cache));
	if (!r->cache) {
		msg_err("out of memory");
		return false;
	}
	for (size_t i = 0; i < r->nr_caches; i++)
		cache_facts(&r->tree, ids[i], &r->cache[i]);
	return census_take(&r->tree, &r->census);
}

static void report_free(struct report *r)
{
	table_free(&r->census.held);
	free(r->cache);
	tree_close(&r->tree);
}

static void print_cache(const struct cache_facts *f)
{
	char bytes[CELL_TEXT_MAX] = "-", age[CELL_TEXT_MAX] = "-", device[TREE_PATH_MAX];
	char state[sizeof(f->state) * 4], reason[sizeof(f->reason) * 4];

	if (f->has_dirty)
		cell_format(bytes, CELL_BYTES, f->dirty, false);
	printf("cache %u    %s\n", f->id, cell_escape(device, sizeof(device), f->device));
	cell_escape(state, sizeof(state), *f->state ? f->state : "-");
	cell_escape(reason, sizeof(reason), f->reason);
	printf("  state    %s%s%s\n", state, *reason ? ": " : "", reason);
	printf("  dirty    %s", bytes);
	if (f->has_age && f->dirty)
		printf(", the oldest for %s", cell_format(age, CELL_SECONDS, f->age_ms, false));
	printf("\n");
	if (f->has_log)
		printf("  log      %" PRIu64 " of %" PRIu64
		       " segments in use, flushed up to %" PRIu64 ", migrated up to %" PRIu64 "\n",
		       segments_used(f), f->segments, f->flushed, f->migrated);
	if (cache_migration(f))
		printf("  migration %s%s\n", cache_migration(f),
		       strcmp(cache_migration(f), "held") == 0 ? " (allow_migrate is 0)" : "");
}

static void print_census(const struct census *s)
{
	char state[sizeof(s->state[0].state) * 4];

	printf("images     %zu", s->nr);
	for (size_t i = 0; i < s->nr_states; i++)
		printf("%s %zu %s", i ? "," : ":", s->state[i].nr,
		       cell_escape(state, sizeof(state), s->state[i].state));
	printf("\n");
}

static bool print_held(const struct lcctl *c, const struct census *s)
{
	if (s->held.nr_rows == 0)
		return true;
	printf("\nNot migrated. In conflict or missing: until it is decided what is to become of\n"
	       "them, see 'lcctl help resolve'. In error: until that is over.\n");
	return table_print(c, &s->held);
}

static bool print_report(const struct lcctl *c, const struct report *r)
{
	char text[TREE_PATH_MAX];

	printf("mount      %s\n", cell_escape(text, sizeof(text), r->tree.where));
	printf("source     %s\n", cell_escape(text, sizeof(text), r->tree.source));
	printf("version    %s\n",
	       *r->version ? cell_escape(text, sizeof(text), r->version) : "-");
	printf("transport  %s\n",
	       *r->transport ? cell_escape(text, sizeof(text), r->transport) : "-");
	for (size_t i = 0; i < r->nr_caches; i++)
		print_cache(&r->cache[i]);
	print_census(&r->census);
	return print_held(c, &r->census);
}

static bool print_rows(const struct lcctl *c, const struct table *table, bool as_json,
		       const struct report *r)
{
	struct json j = { .out = stdout, .lines = JSON_DEPTH };

	if (!as_json)
		return table_print(c, table);
	json_open(&j, NULL, '{');
	json_text(&j, "mount", r->tree.where);
	json_text(&j, "source", r->tree.source);
	json_text(&j, "version", *r->version ? r->version : NULL);
	json_text(&j, "transport", *r->transport ? r->transport : NULL);
	json_open(&j, "caches", '[');
	table_json(table, &j);
	json_close(&j, ']');
	json_open(&j, "images", '{');
	for (size_t i = 0; i < r->census.nr_states; i++)
		json_number(&j, r->census.state[i].state, r->census.state[i].nr);
	json_close(&j, '}');
	json_open(&j, "held", '[');
	table_json(&r->census.held, &j);
	json_close(&j, ']');
	json_close(&j, '}');
	json_end(&j);
	return !table->is_short && !r->census.held.is_short;
}

/* For machines: the caches. */
static bool print_caches(const struct lcctl *c, const struct report *r)
{
	struct table table;
	bool ok;

	table_init(&table, cache_columns, array_size(cache_columns));
	for (size_t i = 0; i < r->nr_caches; i++)
		cache_row(&table, &r->cache[i]);
	ok = print_rows(c, &table, lcctl_has(c, OPT_JSON), r);
	table_free(&table);
	return ok;
}

/* -x: only what is not well. */
static int check_report(const struct lcctl *c, const struct report *r)
{
	bool is_well = r->census.held.nr_rows == 0;

	for (size_t i = 0; i < r->nr_caches; i++)
		is_well &= cache_is_well(&r->cache[i]);
	if (lcctl_has(c, OPT_JSON)) {
		if (!print_caches(c, r))
			return EXIT_FAILED;
	} else if (is_well) {
		printf("%s: all is well\n", r->tree.where);
	} else {
		for (size_t i = 0; i < r->nr_caches; i++)
			if (!cache_is_well(&r->cache[i]))
				print_cache(&r->cache[i]);
		(void)print_held(c, &r->census);
	}
	return is_well ? EXIT_DONE : EXIT_FAILED;
}

int lcctl_status(const struct lcctl *c)
{
	struct report r = { .tree.fd = -1 };
	int status = EXIT_FAILED;

	if (tree_pick(c, c->nr_operands ? c->operand[0] : NULL, &r.tree) && report_load(&r)) {
		if (lcctl_has(c, OPT_CHECK))
			status = check_report(c, &r);
		else if (lcctl_has(c, OPT_JSON) || lcctl_has(c, OPT_SCRIPT))
			status = print_caches(c, &r) ? EXIT_DONE : EXIT_FAILED;
		else
			status = print_report(c, &r) ? EXIT_DONE : EXIT_FAILED;
	}
	report_free(&r);
	return status;
}

/* ---------------------------------------------------------------- list */

static const struct column list_columns[] = {
	{ "ID", "id", CELL_COUNT, 0 },
	{ "STATE", "state", CELL_TEXT, 0 },
	{ "CACHE", "cache", CELL_COUNT, 0 },
	{ "SIZE", "size_bytes", CELL_BYTES, 0 },
	{ "DIRTY", "dirty_bytes", CELL_BYTES, 0 },
	{ "AGE", "dirty_age_seconds", CELL_SECONDS, 0 },
	{ "NAME", "name", CELL_TEXT, 0 },
	{ "REASON", "reason", CELL_TEXT, 0 },
};
#define LIST_SHOWN (array_size(list_columns) - 1)
#define LIST_NAME 6

static void list_row(struct table *table, uint32_t id, const struct image_facts *f)
{
	table_number(table, id != 0, id);
	table_text(table, *f->state ? f->state : NULL);
	table_number(table, f->has_cache, f->cache);
	table_number(table, f->has_size, f->size);
	table_number(table, f->has_dirty, f->dirty);
	table_number(table, f->has_age && f->dirty, f->age_ms);
	table_text(table, f->name);
	if (table->nr_columns > LIST_SHOWN)
		table_text(table, *f->reason ? f->reason : NULL);
}

/* An image that no cache knows: what its file says. */
static void list_file(struct table *table, const char *name, const struct stat *st)
{
	struct image_facts f = { .state = "uncached",
				 .has_size = true,
				 .has_cache = true,
				 .has_dirty = true };

	snprintf(f.name, sizeof(f.name), "%s", name);
	f.size = (uint64_t)st->st_size;
	list_row(table, 0, &f);
}

/* Is the name one below the directory, where "" is the root? */
static bool is_below(const char *name, const char *dir)
{
	size_t n = strlen(dir);

	return n == 0 || (strncmp(name, dir, n) == 0 && name[n] == '/');
}

static int by_pointer(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names that have a row, sorted. */
static char **listed_names(const struct table *table, size_t *nr)
{
	char **names = calloc(table->nr_rows + 1, sizeof(*names));

	*nr = names ? table->nr_rows : 0;
	for (size_t i = 0; i < *nr; i++)
		names[i] = table->cells[i * table->nr_columns + LIST_NAME].text;
	if (*nr)
		qsort(names, *nr, sizeof(*names), by_pointer);
	return names;
}

static bool is_listed(char **names, size_t nr, const char *name)
{
	return bsearch(&name, names, nr, sizeof(*names), by_pointer);
}

/* --all: walks the mount; the rows of those below dir. */
static void list_files(const struct tree *t, struct table *table, const char *dir)
{
	char *roots[] = { (char *)(uintptr_t)t->where, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	size_t nr, skip = strlen(t->where) + 1;
	CLEANUP_FREE char **names = listed_names(table, &nr);
	FTSENT *entry;

	while (fts && names && (entry = fts_read(fts))) {
		if (entry->fts_level == 1 && strcmp(entry->fts_name, ".lcctl") == 0)
			fts_set(fts, entry, FTS_SKIP);
		else if (entry->fts_info == FTS_F && is_below(entry->fts_path + skip, dir) &&
			 !is_listed(names, nr, entry->fts_path + skip))
			list_file(table, entry->fts_path + skip, entry->fts_statp);
	}
	table->is_short |= !fts || !names;
	if (fts)
		fts_close(fts);
}

/* The images below dir; t is open. */
static bool list_tree(const struct lcctl *c, struct table *table, const struct tree *t,
		      const char *dir)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	if (!tree_ids(t, "devices", &ids, &nr))
		return false;
	for (size_t i = 0; i < nr; i++) {
		struct image_facts f;

		if (image_facts(t, ids[i], &f) && is_below(f.name, dir))
			list_row(table, ids[i], &f);
	}
	if (lcctl_has(c, OPT_ALL))
		list_files(t, table, dir);
	return true;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A directory of the mount; false: it is none. */
static bool list_dir(const struct lcctl *c, struct table *table, const char *path, bool *is_whole)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	char rest[TREE_PATH_MAX];

	if (!is_directory(path) || !tree_of_path(path, &t, rest) || strcmp(rest, ".lcctl") == 0 ||
	    is_below(rest, ".lcctl"))
		return false;
	*is_whole &= tree_open(&t) && list_tree(c, table, &t, rest);
	return true;
}

static void list_named(struct table *table, const struct image_ref *ref)
{
	CLEANUP_FD int dir = open(ref->tree.where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir >= 0 && fstatat(dir, ref->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		list_file(table, ref->name, &st);
}

static bool list_some(const struct lcctl *c, struct table *table)
{
	bool is_whole = true;

	for (int i = 0; i < c->nr_operands; i++) {
		CLEANUP_IMAGE struct image_ref ref = { .tree.fd = -1 };
		struct image_facts f;

		if (list_dir(c, table, c->operand[i], &is_whole))
			continue;
		if (!imgref_find(c, c->operand[i], &ref)) {
			is_whole = false;
			continue;
		}
		if (ref.id && image_facts(&ref.tree, ref.id, &f))
			list_row(table, ref.id, &f);
		else
			list_named(table, &ref);
	}
	return is_whole;
}

static bool list_print(const struct lcctl *c, const struct table *table, const struct tree *t)
{
	struct json j = { .out = stdout, .lines = JSON_DEPTH };

	if (!lcctl_has(c, OPT_JSON))
		return table_print(c, table);
	json_open(&j, NULL, '{');
	if (*t->where)
		json_text(&j, "mount", t->where);
	json_open(&j, "images", '[');
	table_json(table, &j);
	json_close(&j, ']');
	json_close(&j, '}');
	json_end(&j);
	return !table->is_short;
}

int lcctl_list(const struct lcctl *c)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	struct table table;
	bool is_whole;

	table_init(&table, list_columns,
		   lcctl_has(c, OPT_JSON) ? array_size(list_columns) : LIST_SHOWN);
	if (c->nr_operands)
		is_whole = list_some(c, &table);
	else
		is_whole = tree_pick(c, NULL, &t) && list_tree(c, &table, &t, "");
	if (is_whole || table.nr_rows)
		is_whole &= list_print(c, &table, &t);
	table_free(&table);
	return is_whole ? EXIT_DONE : EXIT_FAILED;
}
