// SPDX-License-Identifier: GPL-2.0-or-later
/* Is it UTF-8? */
#include "common/utf8.h"

#include "common/align.h"
#include "common/compiler.h"

static const struct {
	unsigned char low, high;   /* first byte */
	unsigned char least, most; /* second byte */
	unsigned char length;
} forms[] = {
	{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t utf8_length(const char *s, size_t left)
{
	const unsigned char *u = (const unsigned char *)s;

	for (size_t i = 0; left && i < array_size(forms); i++) {
		if (u[0] < forms[i].low || u[0] > forms[i].high)
			continue;
		if (forms[i].length > left)
			return 0;
		if (forms[i].length > 1 && (u[1] < forms[i].least || u[1] > forms[i].most))
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if (u[k] < 0x80 || u[k] > 0xbf)
				return 0;
		return forms[i].length;
	}
	return 0;
}
