// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file config: what was given and what is so now, as a section of a configuration file that
 * leads to the same mount.
 */
#include "lcfs/ctl/ctl_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lcfs/ctl/ctl_table.h"

/* ------------------------------------------------------------------ a line */

static bool has_control(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* An item of a list: a comma or backslash, and a blank at an end, has a backslash before it. */
static char *escape_item(const char *value)
{
	size_t len = strlen(value), n = 0;
	char *text = malloc(2 * len + 1);

	for (size_t i = 0; text && i < len; i++) {
		bool is_end = i == 0 || i == len - 1;

		if (value[i] == ',' || value[i] == '\\' || (is_end && is_blank(value[i])))
			text[n++] = '\\';
		text[n++] = value[i];
	}
	if (text)
		text[n] = '\0';
	return text;
}

/* What is to stand around it: "" for nothing, NULL: it cannot be said. */
static const char *quote_for(const char *value)
{
	size_t len = strlen(value);

	if (len && !strpbrk(value, "#;") && *value != '"' && *value != '\'' && !is_blank(*value) &&
	    !is_blank(value[len - 1]) && value[len - 1] != '\\')
		return "";
	if (!strchr(value, '"'))
		return "\"";
	return strchr(value, '\'') ? NULL : "'";
}

static char *write_line(const char *key, const char *value)
{
	const char *quote = has_control(value) ? NULL : quote_for(value);
	struct ctl_text out = { 0 };

	if (quote) {
		ctl_text_put(&out, "%s = %s%s%s\n", key, quote, value, quote);
	} else {
		ctl_text_put(&out, "# cannot be written here: %s = ", key);
		ctl_text_quote(&out, CTL_QUOTE_PLAIN, value);
		ctl_text_put(&out, "\n");
	}
	if (!out.error)
		return out.data;
	ctl_text_free(&out);
	return NULL;
}

char *ctl_config_line(const char *key, const char *value, bool is_item)
{
	CLEANUP_FREE char *item = is_item ? escape_item(value) : NULL;

	return is_item && !item ? NULL : write_line(key, is_item ? item : value);
}

/* ------------------------------------------------------------------ the file */

static void put_line(struct ctl_text *out, const char *key, const char *value, bool is_item)
{
	CLEANUP_FREE char *line = ctl_config_line(key, value, is_item);

	if (line)
		ctl_text_put(out, "%s", line);
	else if (!out->error)
		out->error = -ENOMEM;
}

static void put_section(struct ctl_text *out, const char *mount)
{
	if (!has_control(mount)) {
		ctl_text_put(out, "[%s]\n", mount);
		return;
	}
	ctl_text_put(out, "# cannot be written here: [");
	ctl_text_quote(out, CTL_QUOTE_PLAIN, mount);
	ctl_text_put(out, "]\n");
}

/* One number where all caches have the same, else one for each. */
static void put_knob(struct ctl_text *out, const struct ctl_snapshot *s, const char *name,
		     enum cache_knob knob)
{
	bool is_same = true;

	for (size_t i = 1; i < s->nr_caches; i++)
		is_same = is_same && s->cache[i].knob[knob] == s->cache[0].knob[knob];
	ctl_text_put(out, "%s = ", name);
	for (size_t i = 0; i < (is_same ? 1 : s->nr_caches); i++)
		ctl_text_put(out, "%s%" PRIu64, i ? ":" : "", s->cache[i].knob[knob]);
	ctl_text_put(out, "\n");
}

static void put_knobs(struct ctl_text *out, const struct ctl_snapshot *s)
{
#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) put_knob(out, s, #name_, knob_);
#include "lcfs/ctl/knobs.def"
#undef KNOB
}

int ctl_root_show_config(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out)
{
	CLEANUP_CTL_SNAPSHOT struct ctl_snapshot s = { 0 };
	int err = ctl_snapshot_take(p->tree, &s);

	(void)item;
	if (err)
		return err;
	put_section(out, p->tree->mount);
	put_line(out, "directory", p->tree->source, false);
	for (size_t i = 0; i < s.nr_caches; i++)
		put_line(out, "cache", s.cache[i].device, true);
	ctl_text_put(out, "%s", p->tree->config);
	if (s.nr_caches)
		put_knobs(out, &s);
	return out->error;
}
