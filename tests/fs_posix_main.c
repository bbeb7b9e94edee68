// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does this directory behave as a filesystem does?
 * Usage: fs_posix DIR [CASE...]
 */
#include "tests/fs_posix.h"

#include <ftw.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/align.h"

#define EXIT_SKIP 77

noreturn_ void fs_fail(const char *file, int line, const char *what, long result, long wanted)
{
	fprintf(stderr, "%s:%d: %s: %ld", file, line, what, result);
	if (result < 0)
		fprintf(stderr, " (%s)", strerror((int)-result));
	fprintf(stderr, ", wanted %ld", wanted);
	if (wanted < 0)
		fprintf(stderr, " (%s)", strerror((int)-wanted));
	fprintf(stderr, "\n");
	_exit(EXIT_FAILURE);
}

long fs_ok(long result, const char *file, int line, const char *what)
{
	if (result < 0)
		fs_fail(file, line, what, -(long)errno, 0);
	return result;
}

void fs_err(long result, int wanted, const char *file, int line, const char *what)
{
	if (result >= 0)
		fs_fail(file, line, what, result, -(long)wanted);
	if (errno != wanted)
		fs_fail(file, line, what, -(long)errno, -(long)wanted);
}

noreturn_ void fs_skip(const char *why)
{
	printf("  %s\n", why);
	fflush(stdout);
	_exit(EXIT_SKIP);
}

void fs_write(const char *path, const char *text)
{
	int fd = (int)OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	SAME(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

bool fs_has(const char *path, const char *text)
{
	char buf[4096];
	int fd = (int)OK(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t n = OK(read(fd, buf, sizeof(buf) - 1));

	OK(close(fd));
	buf[n] = 0;
	return strcmp(buf, text) == 0;
}

struct stat fs_stat(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st;
}

void fs_reap(pid_t pid)
{
	int status;

	OK(waitpid(pid, &status, 0));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		_exit(EXIT_FAILURE);
}

void fs_as(uid_t uid, gid_t gid, gid_t extra, void (*fn)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(setgroups(extra ? 1 : 0, &extra));
		OK(setresgid(gid, gid, gid));
		OK(setresuid(uid, uid, uid));
		fn();
		_exit(0);
	}
	fs_reap(pid);
}

void fs_pattern(void *buf, size_t len, unsigned int seed)
{
	unsigned char *p = buf;
	uint32_t x = seed * 2654435761u + 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = (unsigned char)(x >> 24);
	}
}

static int remove_one(const char *path, const struct stat *st unused_, int type unused_,
		      struct FTW *ftw unused_)
{
	return remove(path);
}

/* Runs it in a new directory. Exit status of the case. */
static int run_case(const struct fs_case *c)
{
	char dir[] = "case.XXXXXX";
	int status;
	pid_t pid;

	if (!mkdtemp(dir) || chmod(dir, 0777) < 0) {
		perror(dir);
		return EXIT_FAILURE;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		umask(022);
		OK(chdir(dir));
		c->run();
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return EXIT_FAILURE;
	if (nftw(dir, remove_one, 64, FTW_DEPTH | FTW_PHYS) != 0) {
		perror(dir);
		return EXIT_FAILURE;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static bool is_wanted(const char *name, char **names, int nr)
{
	for (int i = 0; i < nr; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return nr == 0;
}

static int run_cases(const struct fs_case *c, char **names, int nr, int *run)
{
	int failed = 0;

	for (; c->name; c++) {
		int status;

		if (!is_wanted(c->name, names, nr))
			continue;
		++*run;
		if (c->needs_root && geteuid() != 0) {
			printf("skip %s: not root\n", c->name);
			continue;
		}
		status = run_case(c);
		printf("%s %s\n",
		       status == 0	   ? "ok" :
		       status == EXIT_SKIP ? "skip" :
					     "FAIL",
		       c->name);
		fflush(stdout);
		failed += status != 0 && status != EXIT_SKIP;
	}
	return failed;
}

int main(int argc, char **argv)
{
	static const struct fs_case *const all[] = {
		fs_cases_names, fs_cases_rename, fs_cases_dirs,	 fs_cases_io,
		fs_cases_map,	fs_cases_attr,	 fs_cases_owner, fs_cases_xattr,
	};
	int failed = 0, run = 0;

	if (argc < 2 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: fs_posix DIR [CASE...]\n");
		return 2;
	}
	for (size_t i = 0; i < array_size(all); i++)
		failed += run_cases(all[i], argv + 2, argc - 2, &run);
	printf("%d cases, %d failed\n", run, failed);
	return failed || run == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
