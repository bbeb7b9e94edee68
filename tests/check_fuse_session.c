// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The session against a kernel that is this test: requests and replies go over a socket that keeps
 * message boundaries, in place of /dev/fuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/messages.h"
#include "lcfs/fuse/proto.h"
#include "lcfs/fuse/session.h"
#include "tests/check_main.h"
#include "tests/fake/ctl_fake.h"
#include "tests/fake/image_passthrough.h"

static char dir[] = "/tmp/check_fuse_session.XXXXXX";
static struct imagedir *images;
static struct session *session;
static int dirfd, kernel, device;
static uint64_t next_unique;
static struct passthrough_conf image_conf;

struct reply {
	struct fuse_out_header head;
	_Alignas(8) char body[200 << 10];
};

static size_t put(void *msg, uint32_t opcode, uint64_t node, const void *arg, size_t arg_len,
		  const void *tail, size_t tail_len)
{
	struct fuse_in_header in = {
		.len = (uint32_t)(sizeof(in) + arg_len + tail_len),
		.opcode = opcode,
		.unique = ++next_unique,
		.nodeid = node,
	};

	memcpy(msg, &in, sizeof(in));
	if (arg_len)
		memcpy((char *)msg + sizeof(in), arg, arg_len);
	if (tail_len)
		memcpy((char *)msg + sizeof(in) + arg_len, tail, tail_len);
	return in.len;
}

/* Its number. */
static uint64_t ask(uint32_t opcode, uint64_t node, const void *arg, size_t arg_len,
		    const void *tail, size_t tail_len)
{
	static _Alignas(8) char msg[200 << 10];
	size_t len = put(msg, opcode, node, arg, arg_len, tail, tail_len);

	ck_assert_int_eq(send(kernel, msg, len, 0), (ssize_t)len);
	return next_unique;
}

static struct reply *answer(uint64_t unique)
{
	static struct reply r;
	ssize_t n;

	do /* past notifications */
		n = recv(kernel, &r, sizeof(r), 0);
	while (n > 0 && r.head.unique == 0);
	ck_assert_int_ge(n, (ssize_t)sizeof(r.head));
	ck_assert_uint_eq(r.head.len, (size_t)n);
	ck_assert_uint_eq(r.head.unique, unique);
	return &r;
}

static struct reply *call(uint32_t opcode, uint64_t node, const void *arg, size_t arg_len,
			  const void *tail, size_t tail_len)
{
	return answer(ask(opcode, node, arg, arg_len, tail, tail_len));
}

static void nothing_more_to_read(void)
{
	char byte;

	/* Behind an answered request everything that came before has been handled. */
	ck_assert_int_eq(call(FUSE_STATFS, 1, NULL, 0, NULL, 0)->head.error, 0);
	ck_assert_int_eq(recv(kernel, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
}

static int start(uint32_t minor)
{
	const struct fuse_init_in in = { .major = 7, .minor = minor, .flags = UINT32_MAX };
	struct session_conf conf = { .images = images, .ctl = ctl_fake() };
	char text[256] = "";
	int pair[2], error;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	kernel = pair[0];
	device = conf.fd = pair[1];
	ask(FUSE_INIT, 0, &in, sizeof(in), NULL, 0);
	error = session_start(&session, &conf, text, sizeof(text));
	ck_assert_int_eq(error != 0, text[0] != 0);
	return error;
}

static void drop_message(enum msg_level level unused_, const char *text unused_, void *arg unused_)
{
}

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd, 0);
	ck_assert_int_eq(passthrough_open(&images, dirfd, &image_conf), 0);
	/* Replies to a kernel that has gone. */
	signal(SIGPIPE, SIG_IGN);
	msg_to_callback(drop_message, NULL);
	ck_assert_int_eq(start(36), 0);
	ck_assert_int_eq(answer(next_unique)->head.error, 0);
}

static void remove_dir(void)
{
	char command[128];

	close(dirfd);
	snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", dir, dir);
	ck_assert_int_eq(system(command), 0);
}

static void teardown(void)
{
	int end;

	close(kernel);
	end = session_wait(session);
	/* The latter if something was still unread. */
	ck_assert(end == 0 || end == -ECONNRESET);
	session_free(session);
	close(device);
	ck_assert_uint_eq(passthrough_images(images), 0);
	ck_assert_int_eq(imagedir_close(images), 0);
	remove_dir();
}

static void setup_async(void)
{
	image_conf.async_seed = 5;
	setup();
}

/* A new file, open: its number; *fh. */
static uint64_t create(const char *name, uint64_t *fh)
{
	const struct fuse_create_in in = { .flags = O_RDWR, .mode = S_IFREG | 0644 };
	struct reply *r = call(FUSE_CREATE, 1, &in, sizeof(in), name, strlen(name) + 1);
	struct fuse_entry_out entry;
	struct fuse_open_out out;

	ck_assert_int_eq(r->head.error, 0);
	memcpy(&entry, r->body, sizeof(entry));
	memcpy(&out, r->body + sizeof(entry), sizeof(out));
	*fh = out.fh;
	return entry.nodeid;
}

/* The kernel asks nobody whether the caller may open what it was told is new. */
START_TEST(a_file_that_appears_behind_a_create_is_looked_up_anew)
{
	const struct fuse_create_in in = { .flags = O_RDWR | O_TRUNC, .mode = S_IFREG | 0644 };
	int fd = openat(dirfd, "secret", O_WRONLY | O_CREAT | O_EXCL, 0600);
	struct stat st;

	ck_assert_int_eq(write(fd, "secret", 6), 6);
	close(fd);
	ck_assert_int_eq(call(FUSE_CREATE, 1, &in, sizeof(in), "secret", 7)->head.error, -ESTALE);
	ck_assert_int_eq(fstatat(dirfd, "secret", &st, 0), 0);
	ck_assert_int_eq(st.st_size, 6);
}
END_TEST

static void release(uint64_t node, uint64_t fh)
{
	const struct fuse_release_in in = { .fh = fh };

	ck_assert_int_eq(call(FUSE_RELEASE, node, &in, sizeof(in), NULL, 0)->head.error, 0);
}

/* What the kernel is told about a file that is opened with the flags; *fh. */
static uint32_t open_flags(uint64_t node, uint32_t flags, uint64_t *fh)
{
	const struct fuse_open_in in = { .flags = flags };
	const struct reply *r = call(FUSE_OPEN, node, &in, sizeof(in), NULL, 0);
	struct fuse_open_out out;

	ck_assert_int_eq(r->head.error, 0);
	memcpy(&out, r->body, sizeof(out));
	*fh = out.fh;
	return out.open_flags & (FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES);
}

/* The kernel takes direct writes one by one unless told that it need not. */
START_TEST(direct_opens_take_writes_side_by_side)
{
	const uint32_t side_by_side = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	uint64_t made, direct, plain, node = create("f", &made);

	ck_assert_uint_eq(open_flags(node, O_RDWR, &plain), 0);
	release(node, plain);
	ck_assert_uint_eq(open_flags(node, O_RDWR | O_DIRECT, &direct), side_by_side);
	/* and so does whoever comes while one is open */
	ck_assert_uint_eq(open_flags(node, O_RDWR, &plain), side_by_side);
	release(node, direct);
	release(node, plain);
	ck_assert_uint_eq(open_flags(node, O_RDWR, &plain), 0);
	release(node, plain);
	release(node, made);
}
END_TEST

START_TEST(writes_reads_and_syncs_are_answered)
{
	static char data[100000], want[100000];
	uint64_t fh, node = create("f", &fh);
	struct fuse_write_in w = { .fh = fh, .offset = 5, .size = sizeof(data) };
	const struct fuse_read_in rd = { .fh = fh, .offset = 3, .size = 120000 };
	const struct fuse_fsync_in sync = { .fh = fh };
	struct reply *r;

	for (int round = 0; round < 20; round++) {
		memset(data, 'a' + round, sizeof(data));
		w.flags = round & 1 ? O_DSYNC : 0;
		r = call(FUSE_WRITE, node, &w, sizeof(w), data, sizeof(data));
		ck_assert_int_eq(r->head.error, 0);
		ck_assert_uint_eq(((struct fuse_write_out *)(void *)r->body)->size, sizeof(data));
		ck_assert_int_eq(call(FUSE_FSYNC, node, &sync, sizeof(sync), NULL, 0)->head.error,
				 0);
		r = call(FUSE_READ, node, &rd, sizeof(rd), NULL, 0);
		ck_assert_uint_eq(r->head.len, sizeof(r->head) + sizeof(data) + 2);
		memcpy(want, data, sizeof(want));
		ck_assert_int_eq(memcmp(r->body, "\0\0", 2), 0);
		ck_assert_int_eq(memcmp(r->body + 2, want, sizeof(want)), 0);
	}
	release(node, fh);
}
END_TEST

/* Many at a time: each is answered once, whatever the order. */
START_TEST(many_at_a_time_are_answered_once)
{
	enum {
		N = 100
	};
	uint64_t fh, node = create("f", &fh), first;
	static struct reply r;
	bool seen[N] = { 0 };
	char data[512];

	for (int i = 0; i < N; i++) {
		const struct fuse_write_in w = { .fh = fh,
						 .offset = (uint64_t)i * 512,
						 .size = 512 };

		memset(data, i, sizeof(data));
		ask(FUSE_WRITE, node, &w, sizeof(w), data, sizeof(data));
	}
	first = next_unique - N + 1;
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(recv(kernel, &r, sizeof(r), 0), 24);
		ck_assert_uint_ge(r.head.unique, first);
		ck_assert_uint_lt(r.head.unique, first + N);
		ck_assert(!seen[r.head.unique - first]);
		seen[r.head.unique - first] = true;
	}
	nothing_more_to_read();
	for (int i = 0; i < N; i++) {
		const struct fuse_read_in rd = { .fh = fh,
						 .offset = (uint64_t)i * 512,
						 .size = 512 };
		const struct reply *got = call(FUSE_READ, node, &rd, sizeof(rd), NULL, 0);

		ck_assert_int_eq(got->body[0], i);
		ck_assert_int_eq(got->body[511], i);
	}
	release(node, fh);
}
END_TEST

START_TEST(numbers_of_resent_requests_come_back_whole)
{
	uint64_t fh, node = create("f", &fh);
	const struct fuse_write_in w = { .fh = fh, .size = 4 };

	next_unique |= UINT64_C(1) << 63;
	ck_assert_int_eq(call(FUSE_WRITE, node, &w, sizeof(w), "data", 4)->head.error, 0);
	ck_assert_int_eq(call(FUSE_STATFS, 1, NULL, 0, NULL, 0)->head.error, 0);
	release(node, fh);
}
END_TEST

START_TEST(what_wants_no_answer_gets_none)
{
	const struct fuse_forget_in one = { .nlookup = 1 };
	const struct fuse_batch_forget_in batch = { .count = 2 };
	const struct fuse_forget_one two[2] = { { 1, 1 }, { 999, 1 } };

	ask(FUSE_FORGET, 1, &one, sizeof(one), NULL, 0);
	ask(FUSE_FORGET, 12345, &one, sizeof(one), NULL, 0);
	ask(FUSE_FORGET, 1, &one, 4, NULL, 0);
	ask(FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), two, sizeof(two));
	ask(FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), two, sizeof(two[0]));
	nothing_more_to_read();
}
END_TEST

START_TEST(interrupts_are_declined_once_and_for_all)
{
	const struct fuse_interrupt_in in = { .unique = 5 };

	ck_assert_int_eq(call(FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0)->head.error, -ENOSYS);
}
END_TEST

START_TEST(wrong_requests_get_errors)
{
	const struct fuse_read_in rd = { .fh = 1, .size = 4096 };
	const struct fuse_read_in huge = { .fh = 1, .size = UINT32_MAX };
	const struct fuse_read_in far = { .fh = 1, .offset = UINT64_MAX - 10, .size = 4096 };
	const struct fuse_open_in op = { .flags = O_RDONLY };
	uint64_t fh, node = create("f", &fh);

	ck_assert_int_eq(call(FUSE_READ, 999, &rd, sizeof(rd), NULL, 0)->head.error, -EBADF);
	ck_assert_int_eq(call(FUSE_READ, 1, &rd, sizeof(rd), NULL, 0)->head.error, -EBADF);
	ck_assert_int_eq(call(FUSE_READ, node, &huge, sizeof(rd), NULL, 0)->head.error, -EINVAL);
	ck_assert_int_eq(call(FUSE_READ, node, &far, sizeof(rd), NULL, 0)->head.error, -EINVAL);
	ck_assert_int_eq(call(FUSE_READDIR, 1, &rd, sizeof(rd), NULL, 0)->head.error, -EBADF);
	ck_assert_int_eq(call(FUSE_GETATTR, 999, &rd, 16, NULL, 0)->head.error, -ESTALE);
	ck_assert_int_eq(call(FUSE_OPEN, 1, &op, sizeof(op), NULL, 0)->head.error, -EISDIR);
	ck_assert_int_eq(call(FUSE_INIT, 0, &huge, sizeof(huge), NULL, 0)->head.error, -EIO);
	ck_assert_int_eq(call(999, 1, NULL, 0, NULL, 0)->head.error, -ENOSYS);
	ck_assert_int_eq(call(FUSE_LOOKUP, 1, NULL, 0, "../etc", 7)->head.error, -EINVAL);
	release(node, fh);
}
END_TEST

/*
 * Requests of which any byte may be wrong. What they may do to a file is bounded, for the sake of
 * the machine.
 */
static size_t make_garbage(char *msg, unsigned int *seed)
{
	static const uint16_t opcodes[] = {
		1,  2,	3,  4,	5,  6,	8,  9,	10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22,
		23, 24, 25, 27, 28, 29, 30, 34, 35, 36, 39, 42, 43, 44, 45, 46, 47, 50, 51, 52,
	};
	static const char *const names[] = {
		"f", "g", "d", "e", ".lcctl", ".lcfs", "version", "s"
	};
	size_t len = sizeof(struct fuse_in_header) + (size_t)(rand_r(seed) % 200);
	struct fuse_in_header in = {
		.len = (uint32_t)len,
		.opcode = opcodes[(size_t)rand_r(seed) % (sizeof(opcodes) / sizeof(opcodes[0]))],
		.unique = ++next_unique,
		.nodeid = (uint64_t)(rand_r(seed) % 4) ? 1 :
							 (uint64_t)(rand_r(seed) % 40) << 24 | 2,
	};

	if (rand_r(seed) % 8 == 0)
		in.nodeid = (UINT64_C(1) << 62 | UINT64_C(1) << 44) + (uint64_t)(rand_r(seed) % 8);
	memset(msg, 0, 512);
	for (size_t i = sizeof(in); i < len; i++)
		msg[i] = rand_r(seed) % 3 ? 0 : (char)(rand_r(seed) % (rand_r(seed) % 2 ? 256 : 8));
	/* Names, where they often stand. */
	for (int i = 0; i < 3; i++)
		strcpy(msg + 40 + 8 * (rand_r(seed) % 8), names[rand_r(seed) % 8]);
	msg[len - 1] = 0;
	if (in.opcode == FUSE_FALLOCATE)
		memset(msg + 40 + 8, 0, 16);
	memcpy(msg, &in, sizeof(in));
	return len;
}

START_TEST(garbage_is_survived)
{
	const struct rlimit limit = { 1 << 20, 1 << 20 };
	_Alignas(8) char msg[512];
	unsigned int seed = (unsigned int)_i + 1;
	uint64_t fh;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	create("f", &fh);
	for (int i = 0; i < 3000; i++) {
		size_t len = make_garbage(msg, &seed);
		const struct fuse_in_header *in = (const void *)msg;

		ck_assert_int_eq(send(kernel, msg, len, 0), (ssize_t)len);
		if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET)
			answer(in->unique);
	}
	nothing_more_to_read();
	ck_assert_int_eq(faccessat(dirfd, "../check_fuse_session.escaped", F_OK, 0), -1);
}
END_TEST

static void *stop_main(void *arg unused_)
{
	session_stop(session);
	return NULL;
}

START_TEST(stop_ends_it)
{
	pthread_t thread;

	setup();
	ck_assert_int_eq(pthread_create(&thread, NULL, stop_main, NULL), 0);
	ck_assert_int_eq(session_wait(session), -EINTR);
	pthread_join(thread, NULL);
	session_free(session);
	close(kernel);
	close(device);
	ck_assert_int_eq(imagedir_close(images), 0);
	remove_dir();
}
END_TEST

/* Requests are under way when the kernel goes: they are finished before the session is. */
START_TEST(end_waits_for_what_is_under_way)
{
	uint64_t fh, node = create("f", &fh);
	char data[4096] = { 1 };

	for (int i = 0; i < 60; i++) {
		const struct fuse_write_in w = { .fh = fh,
						 .offset = (uint64_t)i * 4096,
						 .size = 4096 };

		ask(FUSE_WRITE, node, &w, sizeof(w), data, sizeof(data));
	}
	/* teardown() closes the socket, waits, and looks for leaks. */
}
END_TEST

START_TEST(an_old_kernel_is_refused)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(passthrough_open(&images, dirfd, &image_conf), 0);
	ck_assert_int_eq(start(20), -EPROTO);
	ck_assert_ptr_null(session);
	close(kernel);
	close(device);
	ck_assert_int_eq(imagedir_close(images), 0);
	remove_dir();
}
END_TEST

static void add(Suite *suite, const char *name, void (*prepare)(void), const TTest *const *tests)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	if (prepare)
		tcase_add_checked_fixture(tc, prepare, teardown);
	for (; *tests; tests++)
		tcase_add_loop_test(tc, *tests, 0, *tests == garbage_is_survived ? 5 : 1);
	suite_add_tcase(suite, tc);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("fuse_session");
	const TTest *const at_once[] = {
		direct_opens_take_writes_side_by_side,
		writes_reads_and_syncs_are_answered,
		a_file_that_appears_behind_a_create_is_looked_up_anew,
		many_at_a_time_are_answered_once,
		numbers_of_resent_requests_come_back_whole,
		what_wants_no_answer_gets_none,
		interrupts_are_declined_once_and_for_all,
		wrong_requests_get_errors,
		NULL,
	};
	const TTest *const later[] = {
		writes_reads_and_syncs_are_answered,
		many_at_a_time_are_answered_once,
		numbers_of_resent_requests_come_back_whole,
		end_waits_for_what_is_under_way,
		NULL,
	};
	const TTest *const ends[] = { stop_ends_it, an_old_kernel_is_refused, NULL };
	const TTest *const garbage[] = { garbage_is_survived, NULL };

	add(suite, "at once", setup, at_once);
	add(suite, "later", setup_async, later);
	add(suite, "ends", NULL, ends);
	add(suite, "garbage at once", setup, garbage);
	add(suite, "garbage later", setup_async, garbage);
	return suite;
}

CHECK_MAIN(make_suite)
