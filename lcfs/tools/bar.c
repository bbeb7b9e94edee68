// SPDX-License-Identifier: GPL-2.0-or-later
/* How a task's progress looks on a line. */
#include "lcfs/tools/bar.h"

#include <string.h>
#include <sys/ioctl.h>

#include "common/align.h"

#define COLUMNS_MAX 200
#define COLUMNS_DEFAULT 80
#define BAR_LEAST 10

unsigned int bar_columns(FILE *out)
{
	struct winsize w;

	if (ioctl(fileno(out), TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return COLUMNS_DEFAULT;
	return min_t(unsigned int, w.ws_col, COLUMNS_MAX);
}

static void fill(char *bar, unsigned int columns, unsigned int percent)
{
	unsigned int full = percent * columns / 100;

	for (unsigned int i = 0; i < columns; i++)
		bar[i] = i < full ? '=' : i == full ? '>' : ' ';
	bar[columns] = '\0';
}

void bar_line(char *line, unsigned int columns, const char *what, unsigned int percent,
	      const char *tail)
{
	/* with the brackets, the number and a column that stays free */
	size_t used = strlen(what) + strlen(tail) + 11;
	char bar[COLUMNS_MAX + 1];

	if (columns < used + BAR_LEAST) {
		snprintf(line, BAR_LINE_MAX, "%s %3u%%  %s", what, percent, tail);
		return;
	}
	fill(bar, min(columns, (unsigned int)COLUMNS_MAX) - (unsigned int)used, percent);
	snprintf(line, BAR_LINE_MAX, "%s [%s] %3u%%  %s", what, bar, percent, tail);
}

void bar_show(FILE *out, const char *line)
{
	fprintf(out, "\r%s\033[K", line);
	fflush(out);
}

void bar_wipe(FILE *out)
{
	fprintf(out, "\r\033[K");
	fflush(out);
}
