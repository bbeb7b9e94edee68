// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration file. confscan.h looks at it first and knows the lines; iniparser then gives
 * the values, which are set as those of the command line are, in options of the file's own: all of
 * them, so that a mistake is found when it is made and not when a section is needed one day. Those
 * of the one section that is wanted are merged in at the end.
 */
#include "lcfs/conffile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "config.h"
#include "lcfs/confscan.h"
#include "lcfs/options.h"

#ifdef HAVE_INIPARSER_INIPARSER_H
#include <iniparser/iniparser.h>
#else
#include <iniparser.h>
#endif

/* What is being read. */
struct conffile {
	const char *name;
	struct confscan scan;
	dictionary *values;
	char *text;
	size_t size;
};

static int fail(int err, char *text, size_t size, const char *format, ...) printf_like(4, 5);
static int fail(int err, char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return err;
}

/* ------------------------------------------------------------------ one key */

static int complain(const struct conffile *f, const struct confscan_key *key, const char *format,
		    ...) printf_like(3, 4);
static int complain(const struct conffile *f, const struct confscan_key *key, const char *format,
		    ...)
{
	char what[384];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return fail(-EINVAL, f->text, f->size, "%s:%u: %s", f->name, key->line, what);
}

/* Why there is no such key, in words that help. */
static must_check int complain_unknown(const struct conffile *f, const struct confscan_key *key)
{
	const struct option_row *row = NULL;

	if (strncmp(key->name, "no", 2) == 0)
		row = options_find(key->name + 2, strlen(key->name + 2));
	if (row && row->type == OPTION_FLAG)
		return complain(f, key, "unknown key '%s': write '%s = off'", key->name, row->name);
	if (options_is_neutral(key->name))
		return complain(f, key, "'%s' is for fstab(5) and means nothing here", key->name);
	return complain(f, key, "unknown key '%s': see lcfs.conf(5)", key->name);
}

static must_check int set_flag_of_mount(const struct conffile *f, struct options *o,
					const struct confscan_key *key, const struct mount_word *w,
					const char *value)
{
	bool on;

	if (parse_bool(value, &on) < 0)
		return complain(f, key, "%s = %s: give on or off", key->name, value);
	if (o->mount_given & (w->set | w->clear))
		return complain(f, key, "'%s' is about what a line before it has said", key->name);
	options_set_mount_word(o, w, on);
	return 0;
}

/* The words of a list, separated by commas; a backslash takes the next character as it is. */
static must_check int set_list(struct options *o, const struct option_row *row, const char *value,
			       char *text, size_t size)
{
	CLEANUP_FREE char *word = malloc(strlen(value) + 1);
	bool is_last = false;
	int err = 0;

	if (!word)
		return -ENOMEM;
	while (!err && !is_last) {
		size_t n = 0, kept = 0;

		value += strspn(value, " \t");
		for (; *value && *value != ','; value++) {
			bool is_taken = *value == '\\' && value[1];

			value += is_taken;
			word[n++] = *value;
			if (is_taken || (*value != ' ' && *value != '\t'))
				kept = n; /* blanks before a comma do not belong to the word */
		}
		word[kept] = '\0';
		is_last = !*value++;
		err = options_set(o, row, word, text, size);
	}
	return err;
}

static must_check int set_key(const struct conffile *f, struct options *o,
			      const struct confscan_key *key, const char *value)
{
	const struct option_row *row = options_find(key->name, strlen(key->name));
	const struct mount_word *w = row ? NULL : options_mount_word(key->name);
	char what[256] = "out of memory";
	int err;

	if (w)
		return set_flag_of_mount(f, o, key, w, value);
	if (!row)
		return complain_unknown(f, key);
	if (row == &option_table[OPT_CONFIG])
		return complain(f, key, "'%s' is for the command line", key->name);
	if (options_is_for_once(row))
		return complain(f, key,
				"'%s' is for the command line, for the one mount that needs it",
				key->name);
	if (row->type == OPTION_LIST)
		err = set_list(o, row, value, what, sizeof(what));
	else
		err = options_set(o, row, value, what, sizeof(what));
	return err ? complain(f, key, "%s", what) : 0;
}

/* ------------------------------------------------------------------ sections */

static size_t without_slashes(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return n;
}

static bool same_path(const char *a, const char *b)
{
	size_t n = without_slashes(a);

	return n == without_slashes(b) && memcmp(a, b, n) == 0;
}

static must_check int check_section(const struct conffile *f, unsigned int n)
{
	const struct confscan_section *s = &f->scan.section[n];

	if (s->name[0] != '/')
		return fail(-EINVAL, f->text, f->size,
			    "%s:%u: [%s] is no mount point: give its path from / on", f->name,
			    s->line, s->name);
	for (unsigned int i = 0; i < n; i++) {
		if (same_path(f->scan.section[i].name, s->name))
			return fail(-EINVAL, f->text, f->size,
				    "%s:%u: section [%s] is there already, in line %u", f->name,
				    s->line, s->name, f->scan.section[i].line);
	}
	return 0;
}

static must_check int read_section(const struct conffile *f, unsigned int n, struct options *o)
{
	int err = check_section(f, n);

	for (unsigned int i = 0; !err && i < f->scan.nr_keys; i++) {
		const char *value;
		char name[32];

		if (f->scan.key[i].section != n)
			continue;
		snprintf(name, sizeof(name), "s%u:k%u", n, i);
		value = iniparser_getstring(f->values, name, NULL);
		err = value ? set_key(f, o, &f->scan.key[i], value) :
			      complain(f, &f->scan.key[i], "iniparser cannot read this line");
	}
	return err;
}

/* A list may be given in several lines. */
static bool may_repeat(const char *name)
{
	const struct option_row *row = options_find(name, strlen(name));

	return row && row->type == OPTION_LIST;
}

/* The section of the mount point, as it is written or without symlinks; nr_sections: none. */
static unsigned int find_section(const struct conffile *f, const char *mnt)
{
	CLEANUP_FREE char *real = mnt ? realpath(mnt, NULL) : NULL;
	unsigned int found = f->scan.nr_sections;

	for (unsigned int i = 0; mnt && i < f->scan.nr_sections; i++) {
		const char *name = f->scan.section[i].name;

		if (same_path(name, mnt))
			return i;
		if (real && same_path(name, real))
			found = i;
	}
	return found;
}

/* All are read; *o gets those of the one that is wanted, when all are in order. */
static must_check int read_sections(const struct conffile *f, struct options *o)
{
	unsigned int wanted = find_section(f, o->mnt);
	struct options found = { 0 };
	int err = 0;

	for (unsigned int i = 0; !err && i < f->scan.nr_sections; i++) {
		struct options of_file;

		err = options_init(&of_file);
		if (err)
			snprintf(f->text, f->size, "%s: out of memory", f->name);
		else
			err = read_section(f, i, &of_file);
		if (err || i != wanted)
			options_free(&of_file);
		else
			found = of_file;
	}
	if (!err && found.value)
		options_merge(o, &found);
	options_free(&found);
	return err;
}

/* ------------------------------------------------------------------ the file */

static int silent(const char *format, ...) printf_like(1, 2);
static int silent(const char *format, ...)
{
	(void)format;
	return 0;
}

/* iniparser reads files only, by their name. */
static must_check int load_values(struct conffile *f)
{
	CLEANUP_FD int fd = memfd_create("lcfs.conf", MFD_CLOEXEC);
	char path[32];

	if (fd < 0 || write(fd, f->scan.plain, f->scan.plain_bytes) != (ssize_t)f->scan.plain_bytes)
		return fail(-ENOMEM, f->text, f->size, "%s: no memory to read it", f->name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	iniparser_set_error_callback(silent);
	f->values = iniparser_load(path);
	if (!f->values)
		return fail(-EIO, f->text, f->size,
			    "%s: iniparser cannot read it (is /proc there?)", f->name);
	return 0;
}

int conffile_apply_text(struct options *o, const char *file, const char *buf, size_t len,
			char *text, size_t size)
{
	struct conffile f = { .name = file, .text = text, .size = size };
	char what[384] = "0: out of memory";
	int err = confscan(&f.scan, buf, len, may_repeat, what, sizeof(what));

	if (err)
		fail(err, text, size, "%s:%s", file, what);
	if (!err && f.scan.nr_keys + f.scan.nr_sections)
		err = load_values(&f);
	if (!err)
		err = read_sections(&f, o);
	if (f.values)
		iniparser_freedict(f.values);
	confscan_free(&f.scan);
	return err;
}

static must_check int check_file(int fd, const char *file, char *text, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, text, size, "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(-EINVAL, text, size, "%s: is no regular file", file);
	if (st.st_mode & S_IWOTH)
		return fail(-EPERM, text, size,
			    "%s: everybody may write to it: not read (chmod o-w %s)", file, file);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fail(-EPERM, text, size, "%s: belongs neither to root nor to you: not read",
			    file);
	return 0;
}

static must_check int read_file(int fd, char *buf, size_t room, size_t *len)
{
	ssize_t n = 1;

	for (*len = 0; n > 0 && *len < room; *len += (size_t)n) {
		n = read(fd, buf + *len, room - *len);
		if (n < 0)
			return -errno;
	}
	return 0;
}

int conffile_apply(struct options *o, char *text, size_t size)
{
	const char *given = options_text(o, OPT_CONFIG);
	const char *file = given ? given : CONFIG_FILE;
	CLEANUP_FREE char *buf = NULL;
	CLEANUP_FD int fd = -1;
	size_t len;
	int err;

	if (strcmp(file, "none") == 0)
		return 0;
	/* not to wait for the other end of what is no file */
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && !given)
		return 0;
	if (fd < 0)
		return fail(-errno, text, size,
			    "%s: %s: -o config=FILE names another one, -o config=none does without",
			    file, strerror(errno));
	err = check_file(fd, file, text, size);
	if (err)
		return err;
	buf = malloc(CONFSCAN_BYTES_MAX + 1);
	if (!buf)
		return fail(-ENOMEM, text, size, "out of memory");
	err = read_file(fd, buf, CONFSCAN_BYTES_MAX + 1, &len);
	if (err)
		return fail(err, text, size, "%s: %s", file, strerror(-err));
	if (len > CONFSCAN_BYTES_MAX)
		return fail(-EFBIG, text, size, "%s: has more than %u KiB", file,
			    CONFSCAN_BYTES_MAX >> 10);
	return conffile_apply_text(o, file, buf, len, text, size);
}
