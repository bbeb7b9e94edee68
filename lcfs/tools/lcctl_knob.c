// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl get, set and help.
 *
 * A knob is a file of the control tree: of the root, of a cache or of an image. Which of the three
 * is meant follows from --image and --cache; without them it is looked for in the root and in the
 * caches.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/messages.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_table.h"

/* ---------------------------------------------------------------- places */

/* A directory of knobs. */
struct place {
	char path[64];			/* below .lcctl; "." for the root */
	char title[TREE_PATH_MAX + 16]; /* "mount", "cache 1", "image a.img" */
};

#define PLACES_MAX 257

struct places {
	struct tree tree;
	struct place *list;
	size_t nr;
};

static void places_free(struct places *p)
{
	free(p->list);
	tree_close(&p->tree);
}
#define CLEANUP_PLACES __attribute__((cleanup(places_free)))

printf_like(3, 4) static void add_place(struct places *p, const char *path, const char *format, ...)
{
	struct place *place = &p->list[p->nr++];
	va_list args;

	snprintf(place->path, sizeof(place->path), "%s", path);
	va_start(args, format);
	vsnprintf(place->title, sizeof(place->title), format, args);
	va_end(args);
}

static bool add_image(const struct lcctl *c, struct places *p)
{
	struct image_ref ref;
	char path[32];

	if (!imgref_find(c, c->value[OPT_IMAGE], &ref))
		return false;
	p->tree = ref.tree;
	if (!ref.id) {
		msg_err("%s/%s: no cache knows it: it has no knobs", ref.tree.where, ref.name);
		return false;
	}
	snprintf(path, sizeof(path), "devices/%u", ref.id);
	add_place(p, path, "image %s", ref.name);
	return true;
}

/* one: 0 for all. */
static bool add_caches(struct places *p, uint64_t one)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	if (!tree_ids(&p->tree, "caches", &ids, &nr))
		return false;
	for (size_t i = 0; i < nr && p->nr < PLACES_MAX; i++) {
		char path[32];

		snprintf(path, sizeof(path), "caches/%u", ids[i]);
		if (!one || one == ids[i])
			add_place(p, path, "cache %u", ids[i]);
	}
	if (!one || p->nr)
		return true;
	tree_has_no_cache(&p->tree, one);
	return false;
}

/* What the options say. False, said. */
static bool find_places(const struct lcctl *c, struct places *p)
{
	uint64_t cache;

	*p = (struct places){ .tree.fd = -1 };
	p->list = calloc(PLACES_MAX, sizeof(*p->list));
	if (!p->list) {
		msg_err("out of memory");
		return false;
	}
	if (c->value[OPT_IMAGE] && c->value[OPT_CACHE]) {
		msg_err("--image and --cache: of which of them?");
		return false;
	}
	if (c->value[OPT_IMAGE])
		return add_image(c, p);
	if (!lcctl_cache(c, &cache) || !tree_pick(c, NULL, &p->tree))
		return false;
	if (!cache)
		add_place(p, ".", "mount");
	return add_caches(p, cache);
}

/* A knob has a plain name: no way out of the directory. */
static bool is_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

static bool has_knob(const struct places *p, size_t i, const char *name)
{
	struct stat st;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", p->list[i].path, name);
	return is_name(name) && fstatat(p->tree.fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !S_ISDIR(st.st_mode);
}

static void say_unknown(const struct lcctl *c, const struct places *p, const char *name)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	if (!c->value[OPT_IMAGE] && is_name(name) && tree_ids(&p->tree, "devices", &ids, &nr) &&
	    nr && tree_has(&p->tree, "devices/%u/%s", ids[0], name))
		msg_err("%s: is a knob of images: say of which with --image", name);
	else
		msg_err("%s: no such knob: 'lcctl get' lists them", name);
}

/* ---------------------------------------------------------------- get */

static const struct column get_columns[] = {
	{ "WHERE", "where", CELL_TEXT, 0 },
	{ "KNOB", "knob", CELL_TEXT, 0 },
	{ "VALUE", "value", CELL_TEXT, 0 },
};

/* The value of a file or link; NULL: it cannot be read. To be freed. */
static char *knob_value(const struct tree *t, const char *place, const char *name)
{
	char link[PATH_MAX], *text;
	size_t n;

	if (tree_link(t, link, sizeof(link), "%s/%s", place, name) >= 0)
		return strdup(link);
	text = tree_all(t, "%s/%s", place, name);
	n = text ? strlen(text) : 0;
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}

/* is_asked: by its name; else what has more than one line is left out. */
static void get_one(const struct places *p, size_t i, const char *name, bool is_asked,
		    struct table *table)
{
	CLEANUP_FREE char *text = knob_value(&p->tree, p->list[i].path, name);

	if (!is_asked && (!text || strchr(text, '\n')))
		return;
	table_text(table, p->list[i].title);
	table_text(table, name);
	table_text(table, text);
}

static int skip_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void get_place(const struct places *p, size_t i, struct table *table)
{
	struct dirent **entry = NULL;
	int nr = scandirat(p->tree.fd, p->list[i].path, &entry, skip_dots, alphasort);

	for (int e = 0; e < nr; e++) {
		if (has_knob(p, i, entry[e]->d_name))
			get_one(p, i, entry[e]->d_name, false, table);
		free(entry[e]);
	}
	free(entry);
}

static bool get_named(const struct lcctl *c, const struct places *p, const char *name,
		      struct table *table)
{
	bool is_found = false;

	for (size_t i = 0; i < p->nr; i++) {
		if (!has_knob(p, i, name))
			continue;
		get_one(p, i, name, true, table);
		is_found = true;
	}
	if (!is_found)
		say_unknown(c, p, name);
	return is_found;
}

/* One value alone, or one of several lines, as it is. */
static bool print_plain(const struct table *table)
{
	const char *text = table->nr_rows == 1 ? table->cells[2].text : NULL;

	if (!text || !strchr(text, '\n'))
		return false;
	printf("%s\n", text);
	return true;
}

static bool get_print(const struct lcctl *c, const struct table *table, const struct places *p)
{
	struct json j = { .out = stdout, .lines = JSON_DEPTH };

	if (!lcctl_has(c, OPT_JSON))
		return print_plain(table) || table_print(c, table);
	json_open(&j, NULL, '{');
	json_text(&j, "mount", p->tree.where);
	json_open(&j, "knobs", '[');
	table_json(table, &j);
	json_close(&j, ']');
	json_close(&j, '}');
	json_end(&j);
	return !table->is_short;
}

int lcctl_get(const struct lcctl *c)
{
	CLEANUP_PLACES struct places p;
	struct table table;
	bool is_whole = true;

	if (!find_places(c, &p))
		return EXIT_FAILED;
	table_init(&table, get_columns, array_size(get_columns));
	for (int i = 0; i < c->nr_operands; i++)
		is_whole &= get_named(c, &p, c->operand[i], &table);
	for (size_t i = 0; i < p.nr && c->nr_operands == 0; i++)
		get_place(&p, i, &table);
	if (is_whole || table.nr_rows)
		is_whole &= get_print(c, &table, &p);
	table_free(&table);
	return is_whole ? EXIT_DONE : EXIT_FAILED;
}

/* ---------------------------------------------------------------- set */

/* The one place that has the knob. False, said. */
static bool choose_place(const struct lcctl *c, const struct places *p, const char *name,
			 size_t *out)
{
	size_t found = 0;

	for (size_t i = 0; i < p->nr; i++) {
		if (has_knob(p, i, name)) {
			*out = i;
			found++;
		}
	}
	if (found == 0)
		say_unknown(c, p, name);
	else if (found > 1)
		msg_err("%s: %zu caches have it: say which with --cache", name, found);
	return found == 1;
}

static int set(const struct lcctl *c, const char *name, const char *value)
{
	CLEANUP_PLACES struct places p;
	const struct place *place;
	size_t which = 0;
	int err;

	if (!find_places(c, &p) || !choose_place(c, &p, name, &which))
		return EXIT_FAILED;
	place = &p.list[which];
	err = tree_write(&p.tree, value, "%s/%s", place->path, name);
	if (err == -EINVAL || err == -ERANGE)
		msg_err("%s of %s: '%s' is not taken: %s: see 'lcctl help %s'", name, place->title,
			value, tree_why(err), name);
	else if (err)
		msg_err("%s of %s: cannot be set: %s", name, place->title, tree_why(err));
	return err ? EXIT_FAILED : EXIT_DONE;
}

int lcctl_set(const struct lcctl *c)
{
	const char *equals = strchr(c->operand[0], '=');
	char name[NAME_MAX + 1];

	if (c->nr_operands == 2)
		return set(c, c->operand[0], c->operand[1]);
	if (!equals || (size_t)(equals - c->operand[0]) >= sizeof(name)) {
		msg_err("set: to what? Say KNOB VALUE or KNOB=VALUE");
		return EXIT_USAGE;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(equals - c->operand[0]), c->operand[0]);
	return set(c, name, equals + 1);
}
