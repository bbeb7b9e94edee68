/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XXH3 as lcfs uses it. The values are part of the on-disk format. */
#ifndef COMMON_CHECKSUM_H
#define COMMON_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_BLOCK_SIZE 4096

/* XXH3-64 of len bytes, seeded. buf needs no alignment. */
uint64_t checksum64(const void *buf, size_t len, uint64_t seed);

/* Low 32 bits of XXH3-64, seed 0, of the CHECKSUM_BLOCK_SIZE bytes at block. */
uint32_t checksum_block(const void *block);

#endif
