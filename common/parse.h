/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers, sizes, percentages, durations and booleans from text that a person or a hostile program
 * wrote.
 *
 * All return 0, -EINVAL if the whole text is not of the form asked for (so also when it is empty,
 * negative, or has anything, a newline included, before or behind), or -ERANGE if it is but the
 * value is outside min..max or overflows. On error *out is unchanged.
 */
#ifndef COMMON_PARSE_H
#define COMMON_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

/* Decimal digits. */
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out) must_check;

/*
 * Bytes: decimal digits, then nothing, B, or one of K M G T P (1024 and its powers) with iB or B
 * behind or not; either case.
 */
int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out) must_check;

/* 0 to 100, with a % behind or not. */
int parse_percent(const char *text, unsigned int *out) must_check;

/* 1/0, on/off, yes/no, true/false; either case. */
int parse_bool(const char *text, bool *out) must_check;

/* Milliseconds, in which min, max and *out are; or with a unit behind: ms, s, m or min, h. */
int parse_duration_ms(const char *text, uint64_t min, uint64_t max, uint64_t *out) must_check;

#endif
