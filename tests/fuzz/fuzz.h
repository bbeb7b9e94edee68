/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fuzz targets share. A target defines LLVMFuzzerTestOneInput and links fuzz_main.c, which
 * replays files and folders, where libFuzzer does not bring its own main.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input that is read as a program: zeros behind its end. */
struct fuzz_input {
	const uint8_t *at, *end;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* A number near 0, or any. */
static inline uint64_t fuzz_number(struct fuzz_input *in)
{
	uint8_t first = fuzz_byte(in);
	uint64_t v = 0;

	if (first < 0xf0)
		return first;
	for (int i = 0; i < 8; i++)
		v = v << 8 | fuzz_byte(in);
	return v;
}

/* Holds in all builds, as assert() does not. */
#define FUZZ_CHECK(cond)                                                                   \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

#endif
