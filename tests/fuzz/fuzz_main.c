// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a fuzz target over files and over all files of folders. Arguments that begin with '-' are
 * libFuzzer's and are ignored. Fails if there was nothing to run.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1u << 20)

static unsigned int nr_inputs;

static int run_file(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX), *exact;
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f || !data) {
		perror(path);
		if (f)
			fclose(f);
		free(data);
		return -1;
	}
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	exact = malloc(n); /* so that AddressSanitizer sees where it ends */
	if (exact || n == 0) {
		if (n)
			memcpy(exact, data, n);
		LLVMFuzzerTestOneInput(exact, n);
		nr_inputs++;
	}
	free(exact);
	free(data);
	return 0;
}

static int run_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int ret = 0;

	if (!dir) {
		perror(path);
		return -1;
	}
	while (ret == 0 && (entry = readdir(dir))) {
		char name[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= PATH_MAX)
			ret = -1;
		else
			ret = run_file(name);
	}
	closedir(dir);
	return ret;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (argv[i][0] == '-')
			continue;
		if (stat(argv[i], &st)) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		if (S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]))
			return EXIT_FAILURE;
	}
	printf("%s: %u inputs\n", argv[0], nr_inputs);
	return nr_inputs ? EXIT_SUCCESS : EXIT_FAILURE;
}
