/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is it UTF-8? */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

/*
 * Bytes of the character at s, which has `left` bytes: shortest form, no surrogate, at most
 * U+10FFFF. 0: there is none.
 */
size_t utf8_length(const char *s, size_t left);

#endif
