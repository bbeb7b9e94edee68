// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Small texts that somebody else writes: options, values, the list of caches in a directory. Each
 * is taken or refused, with one line where a line is promised, and what is taken means one thing.
 *
 * The first byte of the input says what the rest is.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/align.h"
#include "common/parse.h"
#include "lcfs/image/privdir.h"
#include "lcfs/options.h"
#include "tests/fuzz/fuzz.h"

/* A terminated copy of exactly so many bytes; NULs in it end it before. */
static char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* ---- the command line ---- */

#define ARGS_MAX 16

/* Lines of the text are arguments. */
static int split(char *text, const char **argv)
{
	char *line;
	int n = 0;

	while (n < ARGS_MAX && (line = strsep(&text, "\n")))
		argv[n++] = line;
	argv[n] = NULL;
	return n;
}

static void use_options(struct options *o, char *complaint, size_t size)
{
	char *config;

	if (options_complete(o, complaint, size) == 0) {
		config = options_config(o);
		FUZZ_CHECK(config);
		free(config);
	}
}

static void fuzz_options(const uint8_t *data, size_t size)
{
	const char *argv[ARGS_MAX + 1];
	char *text = text_of(data, size), complaint[200] = "";
	int argc = split(text, argv), err;
	struct options o;

	err = options_parse(&o, argc, argv, complaint, sizeof(complaint));
	FUZZ_CHECK(err == 0 || err == -EINVAL);
	FUZZ_CHECK((err != 0) == (complaint[0] != '\0'));
	if (!err)
		use_options(&o, complaint, sizeof(complaint));
	options_free(&o);
	free(text);
}

/* ---- values ---- */

static int parse_any(int which, const char *text, uint64_t *value)
{
	unsigned int percent = 0;
	bool on = false;
	int err;

	switch (which) {
	case 0:
		return parse_u64(text, 5, UINT64_MAX - 5, value);
	case 1:
		return parse_size(text, 5, UINT64_MAX - 5, value);
	case 2:
		return parse_duration_ms(text, 5, UINT64_MAX - 5, value);
	case 3:
		err = parse_percent(text, &percent);
		FUZZ_CHECK(err || percent <= 100);
		return err;
	default:
		return parse_bool(text, &on);
	}
}

static void fuzz_values(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size), again[32];

	for (int i = 0; i < 5; i++) {
		uint64_t value = 1, other;
		int err = parse_any(i, text, &value);

		FUZZ_CHECK(err == 0 || err == -EINVAL || err == -ERANGE);
		FUZZ_CHECK(err || i >= 3 || (value >= 5 && value <= UINT64_MAX - 5));
		FUZZ_CHECK(!err || value == 1);
		snprintf(again, sizeof(again), "%" PRIu64, value);
		FUZZ_CHECK(err || i ||
			   (parse_u64(again, 0, UINT64_MAX, &other) == 0 && other == value));
	}
	free(text);
}

/* ---- .lcfs/caches ---- */

static void fuzz_caches(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);
	struct privdir_caches c;
	int err = privdir_caches_parse(text, size, &c);

	FUZZ_CHECK(err == 0 || err == -EUCLEAN);
	FUZZ_CHECK(c.nr <= PRIVDIR_CACHES_MAX);
	for (unsigned int i = 0; !err && i < c.nr; i++)
		FUZZ_CHECK(privdir_caches_find(&c, c.cache[i].uuid) == &c.cache[i]);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'O':
		fuzz_options(data + 1, size - 1);
		break;
	case 'V':
		fuzz_values(data + 1, size - 1);
		break;
	case 'C':
		fuzz_caches(data + 1, size - 1);
		break;
	}
	return 0;
}
