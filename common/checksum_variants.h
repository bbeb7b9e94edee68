/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiled variants behind checksum64(); for checksum.c and its test. */
#ifndef COMMON_CHECKSUM_VARIANTS_H
#define COMMON_CHECKSUM_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum64_base(const void *buf, size_t len, uint64_t seed);

/* Exists where HAVE_CHECKSUM_AVX2 is defined; may be called where the CPU has AVX2. */
uint64_t checksum64_avx2(const void *buf, size_t len, uint64_t seed);

#endif
