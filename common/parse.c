// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers, sizes, percentages, durations and booleans from text. */
#include "common/parse.h"

#include <errno.h>
#include <strings.h>

#include "common/align.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/*
 * The digits at the start of text. Returns the rest, or NULL if there is no digit. A number too
 * large for 64 bits sets *overflow and is still read to its end, so that "-ERANGE" is said of
 * numbers only and not of garbage.
 */
static const char *parse_digits(const char *text, uint64_t *value, bool *overflow)
{
	const char *p = text;

	*value = 0;
	*overflow = false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (checked_mul_u64(*value, 10, value) ||
		    checked_add_u64(*value, (uint64_t)(*p - '0'), value))
			*overflow = true;
	}
	return p == text ? NULL : p;
}

/* A number with one of the n units behind it. */
static must_check int parse_with_unit(const char *text, const struct unit *units, size_t n,
				      uint64_t min_value, uint64_t max_value, uint64_t *out)
{
	uint64_t value;
	bool overflow;
	const char *rest = parse_digits(text, &value, &overflow);
	size_t i;

	if (!rest)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (strcasecmp(rest, units[i].name) == 0)
			break;
	}
	if (i == n)
		return -EINVAL;
	if (overflow || checked_mul_u64(value, units[i].factor, &value))
		return -ERANGE;
	if (value < min_value || value > max_value)
		return -ERANGE;
	*out = value;
	return 0;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	static const struct unit none = { "", 1 };

	return parse_with_unit(text, &none, 1, min, max, out);
}

#define SIZE_UNITS(letter, shift)                     \
	{ letter, UINT64_C(1) << (shift) },           \
	{ letter "B", UINT64_C(1) << (shift) },       \
	{ letter "iB", UINT64_C(1) << (shift) }

int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "B", 1 },
		SIZE_UNITS("K", 10),
		SIZE_UNITS("M", 20),
		SIZE_UNITS("G", 30),
		SIZE_UNITS("T", 40),
		SIZE_UNITS("P", 50),
	};

	return parse_with_unit(text, units, array_size(units), min, max, out);
}

int parse_percent(const char *text, unsigned int *out)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "%", 1 },
	};
	uint64_t value;
	int ret = parse_with_unit(text, units, array_size(units), 0, 100, &value);

	if (ret == 0)
		*out = (unsigned int)value;
	return ret;
}

int parse_bool(const char *text, bool *out)
{
	static const char *const words[][2] = {
		{ "0", "1" },
		{ "off", "on" },
		{ "no", "yes" },
		{ "false", "true" },
	};

	for (size_t i = 0; i < array_size(words); i++) {
		for (size_t value = 0; value < 2; value++) {
			if (strcasecmp(text, words[i][value]) == 0) {
				*out = value == 1;
				return 0;
			}
		}
	}
	return -EINVAL;
}

int parse_duration_ms(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "ms", 1 },
		{ "s", 1000 },
		{ "m", 60 * 1000 },
		{ "min", 60 * 1000 },
		{ "h", 3600 * 1000 },
	};

	return parse_with_unit(text, units, array_size(units), min, max, out);
}
