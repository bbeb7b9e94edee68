/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Little-endian integers as they stand on a device. They are structs, so that a missing conversion
 * does not compile; they are the one place where a struct has a typedef, because they are used as
 * scalars.
 */
#ifndef COMMON_BYTEORDER_H
#define COMMON_BYTEORDER_H

#include <endian.h>
#include <stdint.h>

#include "common/compiler.h"

typedef struct {
	uint16_t raw;
} le16_t;

typedef struct {
	uint32_t raw;
} le32_t;

typedef struct {
	uint64_t raw;
} le64_t;

size_assert(le16_t, 2);
size_assert(le32_t, 4);
size_assert(le64_t, 8);

static inline uint16_t le16_get(le16_t v)
{
	return le16toh(v.raw);
}

static inline le16_t le16_make(uint16_t v)
{
	return (le16_t){ .raw = htole16(v) };
}

static inline uint32_t le32_get(le32_t v)
{
	return le32toh(v.raw);
}

static inline le32_t le32_make(uint32_t v)
{
	return (le32_t){ .raw = htole32(v) };
}

static inline uint64_t le64_get(le64_t v)
{
	return le64toh(v.raw);
}

static inline le64_t le64_make(uint64_t v)
{
	return (le64_t){ .raw = htole64(v) };
}

#endif
