/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sectors of a block: masks with a bit a sector. */
#ifndef LCFS_CACHE_SECTORS_H
#define LCFS_CACHE_SECTORS_H

#include <stdint.h>
#include <string.h>

#include "lcfs/ondisk/codec.h"

/* Those from byte a to byte b of a block, those partly covered included. */
static inline uint8_t sectors_between(uint32_t a, uint32_t b)
{
	uint32_t from = a / SECTOR_BYTES, to = (b + SECTOR_BYTES - 1) / SECTOR_BYTES;

	return (uint8_t)((0xffu << from) & (0xffu >> (8 - to)));
}

static inline void sectors_copy(uint8_t *dst, const uint8_t *src, uint8_t mask)
{
	for (uint32_t i = 0; i < SECTORS_PER_BLOCK; i++)
		if (mask & (1u << i))
			memcpy(dst + i * SECTOR_BYTES, src + i * SECTOR_BYTES, SECTOR_BYTES);
}

#endif
