// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl apply and lcctl export alone, for their tests. */
#include <stdio.h>
#include <string.h>

#include "common/messages.h"
#include "lcfs/tools/offline_apply.h"

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	msg_set_program("lcctl");
	if (strcmp(verb, "apply") == 0)
		return lcctl_apply_main(argc - 1, argv + 1);
	if (strcmp(verb, "export") == 0)
		return lcctl_export_main(argc - 1, argv + 1);
	fprintf(stderr, "apply or export?\n");
	return OFFLINE_USAGE;
}
