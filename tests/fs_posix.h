/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cases of fs_posix, which runs each in a process and a directory of its own. They hold on any good
 * filesystem: run it on one to see whether a case is right.
 */
#ifndef TESTS_FS_POSIX_H
#define TESTS_FS_POSIX_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/compiler.h"

/* Users who are nobody in particular. */
#define USER_A 61001
#define USER_B 61002
#define GROUP_A 62001
#define GROUP_B 62002

struct fs_case {
	const char *name;
	void (*run)(void); /* in an empty directory, mode 0777, as root */
	bool needs_root;
};

extern const struct fs_case fs_cases_names[], fs_cases_rename[], fs_cases_dirs[], fs_cases_io[],
	fs_cases_map[], fs_cases_attr[], fs_cases_owner[], fs_cases_xattr[];

noreturn_ void fs_fail(const char *file, int line, const char *what, long result, long wanted);
/* The case cannot be tried here: why. */
noreturn_ void fs_skip(const char *why);

/* The call's result, which is not negative. */
#define OK(call) fs_ok((long)(call), __FILE__, __LINE__, #call)
long fs_ok(long result, const char *file, int line, const char *what);

/* The call fails with this errno. */
#define ERR(call, wanted) fs_err((long)(call), (wanted), __FILE__, __LINE__, #call)
void fs_err(long result, int wanted, const char *file, int line, const char *what);

#define TRUE(cond)                                                \
	do {                                                      \
		if (!(cond))                                      \
			fs_fail(__FILE__, __LINE__, #cond, 0, 1); \
	} while (0)

/* Two numbers are the same. */
#define SAME(a, b)                                                                   \
	do {                                                                         \
		long same_a_ = (long)(a), same_b_ = (long)(b);                       \
		if (same_a_ != same_b_)                                              \
			fs_fail(__FILE__, __LINE__, #a " == " #b, same_a_, same_b_); \
	} while (0)

/* A file with this text; made or overwritten. */
void fs_write(const char *path, const char *text);
/* The file's content is this text. */
#define HAS(path, text) TRUE(fs_has(path, text))
bool fs_has(const char *path, const char *text);
struct stat fs_stat(const char *path);
/*
 * Runs fn in a child as this user, with one supplementary group (0: none); what fails there fails
 * the case.
 */
void fs_as(uid_t uid, gid_t gid, gid_t extra, void (*fn)(void));
/* Waits for a child that must end with 0. */
void fs_reap(pid_t pid);
/* Bytes that differ from place to place and from seed to seed. */
void fs_pattern(void *buf, size_t len, unsigned int seed);

#endif
