// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints the table of control files, the keys of stats.json and the families of metrics as
 * lcctl-tree(5) has to name them, one a line: "SECTION: the words behind .It".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lcfs/ctl/ctl_table.h"

static void print_range(const struct ctl_description *d)
{
	for (size_t i = 0; d->words && d->words[i]; i++)
		printf(", %s", d->words[i]);
	if (d->is_text)
		return;
	if (d->max == UINT64_MAX)
		printf(", at least %" PRIu64, d->min);
	else if (strcmp(d->unit, "0/1") != 0)
		printf(", %" PRIu64 " to %" PRIu64, d->min, d->max);
	if (d->has_default)
		printf(", default %" PRIu64, d->initial);
}

static void print_row(const struct ctl_description *d)
{
	printf("%s: Pa %s Pq ", *d->dir ? d->dir : "ROOT", d->name);
	if (d->type != CTL_FILE)
		printf("%s", d->type == CTL_DIR ? "directory" : "link");
	else if (d->is_trigger)
		printf("write 1");
	else
		printf("%s", d->mode & 0222 ? "read and write" : "read");
	if (d->unit[0])
		printf(", %s", d->unit);
	if ((d->mode & 0222) && d->type == CTL_FILE && !d->is_trigger)
		print_range(d);
	printf("\n");
}

static void print_numbers(const struct ctl_number *n, size_t nr, const char *section)
{
	for (size_t i = 0; i < nr; i++) {
		printf("%s: Li %s", section, n[i].name);
		if (n[i].metric)
			printf(" , Li lcfs_%s%s", n[i].metric,
			       n[i].kind == CTL_COUNTER ? "_total" : "");
		printf("\n");
	}
}

int main(void)
{
	struct ctl_description d;

	for (size_t i = 0; ctlfs_describe(i, &d); i++)
		print_row(&d);
	print_numbers(ctl_cache_numbers, CTL_NR_CACHE_NUMBERS, "NUMBERS OF A CACHE");
	print_numbers(ctl_device_numbers, CTL_NR_DEVICE_NUMBERS, "NUMBERS OF AN IMAGE");
	for (size_t i = 0; i < CTL_NR_LATENCIES; i++)
		printf("LATENCIES: Li %s , Li lcfs_%s_seconds\n", ctl_latencies[i].name,
		       ctl_latencies[i].name);
	return 0;
}
