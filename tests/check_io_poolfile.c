// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of the shared RAM buffers: made safely, found again, never taken from another. */
#include "lcfs/io/poolfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check_main.h"

#define BYTES (1u << 20)

static const uint8_t uuid[UUID_BYTES] = { 0xab, 1, 2, 3 };
static char dir[64]; /* the parent, ours alone */
static char pools[80];
static char file[160];
static char text[256];
static struct poolfile *pool;

static void setup(void)
{
	char hex[UUID_HEX_BYTES];

	strcpy(dir, "check_io_poolfile.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(pools, sizeof(pools), "%s/lcfs", dir);
	uuid_hex(uuid, hex);
	snprintf(file, sizeof(file), "%s/%s.pool", pools, hex);
	pool = NULL;
}

static void empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

static void teardown(void)
{
	poolfile_close(pool);
	(void)umount2(pools, MNT_DETACH);
	empty(pools);
	(void)rmdir(pools);
	(void)unlink(pools);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void create(void)
{
	ck_assert_msg(poolfile_create(&pool, pools, uuid, BYTES, text, sizeof(text)) == 0, "%s",
		      text);
}

static void assert_refused(int result, int err, const char *word)
{
	ck_assert_int_eq(result, err);
	ck_assert_ptr_null(pool);
	ck_assert_msg(strstr(text, word), "'%s' has no '%s'", text, word);
	ck_assert_ptr_null(strchr(text, '\n'));
}

static int open_pool(void)
{
	return poolfile_open(&pool, pools, uuid, text, sizeof(text));
}

static int create_pool(uint64_t bytes)
{
	return poolfile_create(&pool, pools, uuid, bytes, text, sizeof(text));
}

static void assert_filled(int byte)
{
	static char all[BYTES];

	memset(all, byte, sizeof(all));
	ck_assert_uint_eq(poolfile_bytes(pool), BYTES);
	ck_assert_mem_eq(poolfile_memory(pool), all, BYTES);
}

static bool die_in_fallocate;

int __real_fallocate(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len);

int __wrap_fallocate(int fd, int mode, off_t off, off_t len)
{
	if (die_in_fallocate)
		kill(getpid(), SIGKILL);
	return __real_fallocate(fd, mode, off, len);
}

/* ------------------------------------------------------------------ the ordinary way */

START_TEST(a_new_one_is_zero_private_and_fully_allocated)
{
	static const char zeros[BYTES];
	struct stat st;

	create();
	ck_assert_uint_eq(poolfile_bytes(pool), BYTES);
	ck_assert_mem_eq(poolfile_memory(pool), zeros, BYTES);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_ge(st.st_blocks * 512, BYTES);
	ck_assert_int_eq(stat(pools, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(what_was_written_is_there_for_the_next)
{
	create();
	memset(poolfile_memory(pool), 0x5a, BYTES);
	poolfile_close(pool);
	ck_assert_int_eq(open_pool(), 0);
	ck_assert_uint_eq(poolfile_bytes(pool), BYTES);
	assert_filled(0x5a);
}
END_TEST

START_TEST(what_a_killed_process_wrote_is_there_for_the_next)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (create_pool(BYTES))
			_exit(1);
		memset(poolfile_memory(pool), 0x77, BYTES);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	ck_assert_msg(open_pool() == 0, "%s", text);
	assert_filled(0x77);
}
END_TEST

/* Half a file would be refused as one that somebody else has damaged. */
START_TEST(a_process_killed_while_it_makes_one_leaves_none)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		die_in_fallocate = true;
		_exit(create_pool(BYTES));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	assert_refused(open_pool(), -ENOENT, "No such file");
	create();
	ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

START_TEST(without_one_there_is_none)
{
	assert_refused(open_pool(), -ENOENT, pools);
	create();
	ck_assert_int_eq(poolfile_remove(pool), 0);
	pool = NULL;
	ck_assert_int_eq(access(file, F_OK), -1);
	assert_refused(open_pool(), -ENOENT, file);
}
END_TEST

START_TEST(a_peek_sees_it_while_another_holds_it)
{
	struct poolfile *peek;

	create();
	memset(poolfile_memory(pool), 9, BYTES);
	ck_assert_int_eq(poolfile_peek(&peek, pools, uuid, text, sizeof(text)), 0);
	ck_assert_uint_eq(poolfile_bytes(peek), BYTES);
	ck_assert_int_eq(((char *)poolfile_memory(peek))[BYTES - 1], 9);
	poolfile_close(peek);
}
END_TEST

static unsigned int count_stale(void)
{
	DIR *d = opendir(pools);
	struct dirent *e;
	unsigned int n = 0;

	while ((e = readdir(d)))
		n += strstr(e->d_name, ".stale-") != NULL;
	closedir(d);
	return n;
}

START_TEST(one_set_aside_makes_room_and_only_the_last_is_kept)
{
	char old[200];
	int fd;

	create();
	snprintf(old, sizeof(old), "%s.stale-1", file);
	fd = open(old, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_eq(poolfile_set_aside(pool, text, sizeof(text)), 0);
	pool = NULL;
	ck_assert_int_eq(access(file, F_OK), -1);
	ck_assert_int_eq(access(old, F_OK), -1);
	ck_assert_uint_eq(count_stale(), 1);
	create();
}
END_TEST

START_TEST(the_directory_is_that_of_root_or_of_the_session)
{
	char path[300];

	if (geteuid() == 0) {
		ck_assert_int_eq(poolfile_directory(path, sizeof(path), text, sizeof(text)), 0);
		ck_assert_str_eq(path, "/run/lcfs");
		ck_assert_int_eq(seteuid(65534), 0);
	}
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	ck_assert_int_eq(poolfile_directory(path, sizeof(path), text, sizeof(text)), 0);
	ck_assert_str_eq(path, "/run/user/1/lcfs");
	unsetenv("XDG_RUNTIME_DIR");
	ck_assert_int_eq(poolfile_directory(path, sizeof(path), text, sizeof(text)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(text, "XDG_RUNTIME_DIR"));
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* ------------------------------------------------------------------ refusals */

START_TEST(one_in_use_is_refused_with_its_holder)
{
	int ready[2], hold[2], status;
	char c = 0, pid[32];
	pid_t child;

	create();
	poolfile_close(pool);
	pool = NULL;
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(hold), 0);
	child = fork();
	if (child == 0) {
		close(hold[1]);
		if (open_pool() || write(ready[1], &c, 1) != 1)
			_exit(1);
		(void)!read(hold[0], &c, 1);
		_exit(0);
	}
	close(hold[0]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	snprintf(pid, sizeof(pid), "pid %d ", child);
	assert_refused(open_pool(), -EBUSY, pid);
	close(hold[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(open_pool(), 0);
}
END_TEST

START_TEST(an_existing_file_is_never_overwritten)
{
	struct poolfile *first;

	create();
	memset(poolfile_memory(pool), 3, BYTES);
	first = pool;
	pool = NULL;
	assert_refused(create_pool(BYTES), -EEXIST, file);
	ck_assert_int_eq(((char *)poolfile_memory(first))[0], 3);
	ck_assert_int_eq(access(file, F_OK), 0);
	poolfile_close(first);
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	char target[80];
	struct stat st;
	int fd;

	snprintf(target, sizeof(target), "%s/target", dir);
	fd = open(target, O_CREAT | O_RDWR, 0600);
	ck_assert_int_eq(ftruncate(fd, BYTES), 0);
	close(fd);
	ck_assert_int_eq(mkdir(pools, 0700), 0);
	ck_assert_int_eq(symlink("../target", file), 0);
	assert_refused(open_pool(), -EPERM, file);
	assert_refused(create_pool(4096), -EEXIST, file);
	ck_assert_int_eq(stat(target, &st), 0);
	ck_assert_int_eq(st.st_size, BYTES);
	ck_assert_int_eq(unlink(target), 0);
}
END_TEST

START_TEST(a_directory_that_is_a_link_is_not_followed)
{
	char real[80];

	snprintf(real, sizeof(real), "%s/real", dir);
	ck_assert_int_eq(mkdir(real, 0700), 0);
	ck_assert_int_eq(symlink("real", pools), 0);
	ck_assert_int_lt(create_pool(BYTES), 0);
	ck_assert_ptr_null(pool);
	ck_assert_int_eq(rmdir(real), 0); /* nothing was made in it */
}
END_TEST

START_TEST(a_directory_that_others_can_write_is_refused)
{
	ck_assert_int_eq(mkdir(pools, 0700), 0);
	ck_assert_int_eq(chmod(pools, 0777), 0);
	assert_refused(create_pool(BYTES), -EPERM, pools);
	ck_assert_int_eq(chmod(pools, 0755), 0);
	create();
}
END_TEST

START_TEST(a_file_that_others_can_read_is_refused)
{
	create();
	poolfile_close(pool);
	pool = NULL;
	ck_assert_int_eq(chmod(file, 0640), 0);
	assert_refused(open_pool(), -EPERM, file);
}
END_TEST

START_TEST(a_file_with_a_second_name_is_refused)
{
	char second[200];

	create();
	poolfile_close(pool);
	pool = NULL;
	snprintf(second, sizeof(second), "%s.2", file);
	ck_assert_int_eq(link(file, second), 0);
	assert_refused(open_pool(), -EPERM, file);
}
END_TEST

START_TEST(another_owners_file_or_directory_is_refused)
{
	if (geteuid() != 0) {
		printf("not root: files of other owners are not tested\n");
		return;
	}
	create();
	poolfile_close(pool);
	pool = NULL;
	ck_assert_int_eq(chown(file, 65534, (gid_t)-1), 0);
	assert_refused(open_pool(), -EPERM, file);
	ck_assert_int_eq(chown(pools, 65534, (gid_t)-1), 0);
	assert_refused(open_pool(), -EPERM, pools);
}
END_TEST

START_TEST(a_file_of_an_impossible_size_is_refused)
{
	create();
	poolfile_close(pool);
	pool = NULL;
	ck_assert_int_eq(truncate(file, 5000), 0);
	assert_refused(open_pool(), -EINVAL, "size");
	ck_assert_int_eq(truncate(file, 0), 0);
	assert_refused(open_pool(), -EINVAL, "size");
}
END_TEST

START_TEST(too_small_a_filesystem_is_an_error_and_leaves_nothing)
{
	if (geteuid() != 0) {
		printf("not root: a full filesystem is not tested\n");
		return;
	}
	ck_assert_int_eq(mkdir(pools, 0700), 0);
	ck_assert_int_eq(mount("none", pools, "tmpfs", 0, "size=512k,mode=700"), 0);
	assert_refused(create_pool(BYTES), -ENOSPC, "fewer buffers");
	ck_assert_int_eq(access(file, F_OK), -1);
	ck_assert_int_eq(create_pool(256 << 10), 0);
	ck_assert(poolfile_is_in_ram(pool));
	memset(poolfile_memory(pool), 1, 256 << 10);
}
END_TEST

START_TEST(a_file_with_holes_is_filled_before_it_is_used)
{
	struct stat st;
	int fd;

	create();
	poolfile_close(pool);
	pool = NULL;
	ck_assert_int_eq(unlink(file), 0);
	fd = open(file, O_CREAT | O_RDWR, 0600);
	ck_assert_int_eq(ftruncate(fd, BYTES), 0);
	close(fd);
	ck_assert_int_eq(open_pool(), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, BYTES);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		a_new_one_is_zero_private_and_fully_allocated,
		what_was_written_is_there_for_the_next,
		what_a_killed_process_wrote_is_there_for_the_next,
		a_process_killed_while_it_makes_one_leaves_none,
		without_one_there_is_none,
		a_peek_sees_it_while_another_holds_it,
		one_set_aside_makes_room_and_only_the_last_is_kept,
		the_directory_is_that_of_root_or_of_the_session,
		one_in_use_is_refused_with_its_holder,
		an_existing_file_is_never_overwritten,
		a_symbolic_link_is_not_followed,
		a_directory_that_is_a_link_is_not_followed,
		a_directory_that_others_can_write_is_refused,
		a_file_that_others_can_read_is_refused,
		a_file_with_a_second_name_is_refused,
		another_owners_file_or_directory_is_refused,
		a_file_of_an_impossible_size_is_refused,
		too_small_a_filesystem_is_an_error_and_leaves_nothing,
		a_file_with_holes_is_filled_before_it_is_used,
	};
	Suite *suite = suite_create("io poolfile");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
