/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities of 16 bytes: random ones, the running kernel's, and their text. */
#ifndef LCFS_IO_UUID_H
#define LCFS_IO_UUID_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define UUID_BYTES 16
#define UUID_TEXT_BYTES 37 /* 8-4-4-4-12 and NUL */
#define UUID_HEX_BYTES 33  /* without dashes, for file names */

/*
 * Fills buf from the kernel's generator; waits for it to be seeded, early in the boot. 0 or
 * -errno.
 */
int random_fill(void *buf, size_t bytes) must_check;
/* A random UUID (version 4). */
int uuid_random(uint8_t uuid[UUID_BYTES]) must_check;
/* Of the running kernel: another one after each boot. */
int uuid_boot(uint8_t uuid[UUID_BYTES]) must_check;

void uuid_text(const uint8_t uuid[UUID_BYTES], char text[UUID_TEXT_BYTES]);
void uuid_hex(const uint8_t uuid[UUID_BYTES], char text[UUID_HEX_BYTES]);
/* Either form, either case, nothing before or behind. 0, or -EINVAL with uuid unchanged. */
int uuid_parse(const char *text, uint8_t uuid[UUID_BYTES]) must_check;

#endif
