// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A configuration file of any bytes is read or refused with one line that has the file's name;
 * refused, it sets nothing. What the first look lets through, iniparser gives back, key by key.
 */
#include <errno.h>
#include <string.h>

#include "lcfs/conffile.h"
#include "lcfs/options.h"
#include "tests/fuzz/fuzz.h"

static void check_untouched(const struct options *o)
{
	for (size_t i = 0; i < option_rows; i++)
		FUZZ_CHECK(!o->value[i].is_set);
	FUZZ_CHECK(o->mount_given == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* exactly as long as the input, so that a read beyond it is seen */
	char *copy = malloc(size ? size : 1);
	struct options o;
	char text[256] = "";
	int err;

	FUZZ_CHECK(copy && options_init(&o) == 0);
	if (size)
		memcpy(copy, data, size);
	o.mnt = "/m";
	err = conffile_apply_text(&o, "FILE", copy, size, text, sizeof(text));
	FUZZ_CHECK(err == 0 || err == -EINVAL);
	if (err) {
		FUZZ_CHECK(strncmp(text, "FILE:", 5) == 0 && text[5] >= '1' && text[5] <= '9');
		FUZZ_CHECK(!strchr(text, '\n'));
		FUZZ_CHECK(strncmp(text + 5 + strspn(text + 5, "0123456789"), ": iniparser", 11));
		check_untouched(&o);
	}
	options_free(&o);
	free(copy);
	return 0;
}
