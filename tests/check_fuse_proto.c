// SPDX-License-Identifier: GPL-2.0-or-later
/* The check of requests, and the agreement at INIT. */
#include <errno.h>
#include <string.h>

#include "lcfs/fuse/handle.h"
#include "lcfs/fuse/init.h"
#include "lcfs/fuse/proto.h"
#include "tests/check_main.h"

/* A request whose argument is arg with tail behind it. */
static size_t make(void *msg, uint32_t opcode, const void *arg, size_t arg_len, const void *tail,
		   size_t tail_len)
{
	struct fuse_in_header in = {
		.len = (uint32_t)(sizeof(in) + arg_len + tail_len),
		.opcode = opcode,
		.unique = 77,
		.nodeid = 1,
	};

	memcpy(msg, &in, sizeof(in));
	if (arg_len)
		memcpy((char *)msg + sizeof(in), arg, arg_len);
	memcpy((char *)msg + sizeof(in) + arg_len, tail, tail_len);
	return in.len;
}

static int check(uint32_t opcode, const void *arg, size_t arg_len, const void *tail,
		 size_t tail_len)
{
	_Alignas(8) char msg[4096];
	size_t len = make(msg, opcode, arg, arg_len, tail, tail_len);

	return proto_check(msg, len, true);
}

#define TAIL(text) text, sizeof(text) - 1

START_TEST(whole_requests_pass)
{
	const struct fuse_write_in w = { .size = 4 };
	const struct fuse_setxattr_in x = { .size = 3 };
	const struct fuse_batch_forget_in b = { .count = 2 };
	const struct fuse_rename2_in r = { 0 };
	const struct fuse_forget_one two[2] = { 0 };

	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("name\0")), 0);
	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("..name\0")), 0);
	ck_assert_int_eq(check(FUSE_WRITE, &w, sizeof(w), TAIL("data")), 0);
	ck_assert_int_eq(check(FUSE_SETXATTR, &x, sizeof(x), TAIL("user.a/b\0xyz")), 0);
	ck_assert_int_eq(check(FUSE_BATCH_FORGET, &b, sizeof(b), two, sizeof(two)), 0);
	ck_assert_int_eq(check(FUSE_RENAME2, &r, sizeof(r), TAIL("a\0b\0")), 0);
	ck_assert_int_eq(check(FUSE_SYMLINK, NULL, 0, TAIL("name\0/any/../path\0")), 0);
	ck_assert_int_eq(check(FUSE_SYMLINK, NULL, 0, TAIL("name\0\0")), 0);
	/* What a newer kernel adds behind is no harm. */
	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("name\0extension")), 0);
}
END_TEST

START_TEST(short_ones_do_not)
{
	const struct fuse_write_in w = { .size = 5 };
	const struct fuse_write_in huge = { .size = UINT32_MAX };
	const struct fuse_setxattr_in x = { .size = 4 };
	const struct fuse_setxattr_in huge_x = { .size = UINT32_MAX };
	const struct fuse_batch_forget_in b = { .count = 3 };
	const struct fuse_batch_forget_in huge_b = { .count = UINT32_MAX };
	const struct fuse_rename2_in r = { 0 };
	const struct fuse_forget_one two[2] = { 0 };

	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("name")), -EINVAL);
	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("")), -EINVAL);
	ck_assert_int_eq(check(FUSE_WRITE, &w, sizeof(w), TAIL("data")), -EINVAL);
	ck_assert_int_eq(check(FUSE_WRITE, &huge, sizeof(w), TAIL("data")), -EINVAL);
	ck_assert_int_eq(check(FUSE_SETXATTR, &x, sizeof(x), TAIL("user.a\0xyz")), -EINVAL);
	ck_assert_int_eq(check(FUSE_SETXATTR, &huge_x, sizeof(x), TAIL("user.a\0xyz")), -EINVAL);
	ck_assert_int_eq(check(FUSE_BATCH_FORGET, &b, sizeof(b), two, sizeof(two)), -EINVAL);
	ck_assert_int_eq(check(FUSE_BATCH_FORGET, &huge_b, sizeof(b), two, sizeof(two)), -EINVAL);
	ck_assert_int_eq(check(FUSE_RENAME2, &r, sizeof(r), TAIL("a\0b")), -EINVAL);
	ck_assert_int_eq(check(FUSE_RENAME2, &r, sizeof(r), TAIL("a\0")), -EINVAL);
	ck_assert_int_eq(check(FUSE_SYMLINK, NULL, 0, TAIL("name\0target")), -EINVAL);
	ck_assert_int_eq(check(FUSE_GETATTR, &w, 8, TAIL("")), -EINVAL);
}
END_TEST

START_TEST(names_are_no_paths)
{
	const struct fuse_rename_in r = { 0 };

	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("a/b\0")), -EINVAL);
	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL(".\0")), -EINVAL);
	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("..\0")), -EINVAL);
	ck_assert_int_eq(check(FUSE_LOOKUP, NULL, 0, TAIL("\0")), -EINVAL);
	ck_assert_int_eq(check(FUSE_UNLINK, NULL, 0, TAIL("/etc/passwd\0")), -EINVAL);
	ck_assert_int_eq(check(FUSE_RENAME, &r, sizeof(r), TAIL("a\0../b\0")), -EINVAL);
	ck_assert_int_eq(check(FUSE_SYMLINK, NULL, 0, TAIL("../name\0x\0")), -EINVAL);
}
END_TEST

START_TEST(lengths_agree)
{
	_Alignas(8) char msg[256];
	size_t len = make(msg, FUSE_LOOKUP, NULL, 0, TAIL("name\0"));

	ck_assert_int_eq(proto_check(msg, len, true), 0);
	ck_assert_int_eq(proto_check(msg, len + 1, true), -EINVAL);
	ck_assert_int_eq(proto_check(msg, len - 1, true), -EINVAL);
	ck_assert_int_eq(proto_check(msg, 39, true), -EINVAL);
	ck_assert_int_eq(proto_check(msg, 0, true), -EINVAL);
}
END_TEST

START_TEST(unknown_operations_are_said_so)
{
	static const uint32_t unknown[] = { 0,		 7,	      FUSE_GETLK, FUSE_SETLK,
					    FUSE_SETLKW, FUSE_ACCESS, FUSE_BMAP,  FUSE_FLUSH,
					    51,		 52,	      4096,	  UINT32_MAX };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		ck_assert_int_eq(check(unknown[i], NULL, 0, TAIL("x\0")), -ENOSYS);
}
END_TEST

START_TEST(the_short_form_of_setxattr)
{
	_Alignas(8) char msg[256];
	const struct fuse_setxattr_in x = { .size = 3 };
	size_t len = make(msg, FUSE_SETXATTR, &x, FUSE_COMPAT_SETXATTR_IN_SIZE, TAIL("a\0xyz"));

	ck_assert_int_eq(proto_check(msg, len, false), 0);
	ck_assert_int_eq(proto_check(msg, len, true), -EINVAL);
}
END_TEST

static const struct init_conf conf = { .max_background = 100 };

static struct init_result agree(const struct fuse_init_in *in, size_t bytes)
{
	_Alignas(8) char msg[256];
	struct init_result r;
	size_t len = make(msg, FUSE_INIT, in, bytes, "", 0);

	ck_assert_int_eq(init_answer(msg, len, &conf, &r), 0);
	ck_assert_uint_eq(r.head.unique, 77);
	ck_assert_uint_eq(r.head.len, sizeof(r.head) + sizeof(r.out));
	ck_assert_int_eq(r.head.error, 0);
	return r;
}

START_TEST(init_agrees_on_what_is_offered)
{
	struct fuse_init_in in = {
		.major = 7,
		.minor = 40,
		.max_readahead = 4096 * 33,
		.flags = UINT32_MAX,
		.flags2 = UINT32_MAX,
	};
	struct init_result r = agree(&in, sizeof(in));

	ck_assert_uint_eq(r.out.max_readahead, 4096 * 33);
	ck_assert_uint_eq(r.out.max_write, 1 << 20);
	ck_assert_uint_eq(r.out.max_pages, 256);
	ck_assert_uint_eq(r.out.max_background, 100);
	ck_assert_uint_eq(r.out.congestion_threshold, 75);
	ck_assert_uint_eq(r.out.time_gran, 1);
	ck_assert(r.flags & FUSE_HANDLE_KILLPRIV_V2);
	ck_assert(r.flags & PROTO_DIRECT_IO_ALLOW_MMAP);
	ck_assert(r.flags & FUSE_POSIX_ACL);
	ck_assert(r.flags & FUSE_DONT_MASK);
	ck_assert(r.flags & FUSE_EXPLICIT_INVAL_DATA);
	ck_assert_uint_eq(r.flags & (FUSE_ATOMIC_O_TRUNC | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS |
				     FUSE_AUTO_INVAL_DATA | FUSE_WRITEBACK_CACHE |
				     FUSE_EXPORT_SUPPORT),
			  0);
	ck_assert_uint_eq(r.out.flags, (uint32_t)r.flags);
	ck_assert_uint_eq(r.out.flags2, r.flags >> 32);
}
END_TEST

START_TEST(init_asks_for_nothing_else)
{
	struct fuse_init_in in = { .major = 7, .minor = 31, .flags = FUSE_ASYNC_READ };
	struct init_result r = agree(&in, sizeof(in));

	ck_assert_uint_eq(r.flags, FUSE_ASYNC_READ);
	/* The upper half counts only with its flag, and where there is one. */
	in.flags2 = UINT32_MAX;
	ck_assert_uint_eq(agree(&in, sizeof(in)).out.flags2, 0);
	in.flags = UINT32_MAX;
	ck_assert_uint_eq(agree(&in, 16).out.flags2, 0);
	ck_assert_uint_ne(agree(&in, sizeof(in)).out.flags2, 0);
}
END_TEST

START_TEST(init_of_other_protocols_is_refused)
{
	_Alignas(8) char msg[256];
	struct init_result r;
	const struct fuse_init_in old = { .major = 7, .minor = 22 };
	const struct fuse_init_in other = { .major = 8 };

	ck_assert_int_eq(init_answer(msg, make(msg, FUSE_INIT, &old, sizeof(old), "", 0), &conf,
				     &r),
			 -EPROTO);
	ck_assert_int_eq(init_answer(msg, make(msg, FUSE_INIT, &other, sizeof(other), "", 0), &conf,
				     &r),
			 -EPROTO);
	ck_assert_int_eq(init_answer(msg, make(msg, FUSE_INIT, &old, 8, "", 0), &conf, &r),
			 -EPROTO);
	ck_assert_int_eq(init_answer(msg, make(msg, FUSE_STATFS, &old, 16, "", 0), &conf, &r),
			 -EPROTO);
	ck_assert_int_eq(init_answer(msg, 3, &conf, &r), -EPROTO);
}
END_TEST

START_TEST(handles_name_what_they_were_made_for)
{
	struct handles h;
	uint64_t fh[300], reused;
	int objects[300];

	handles_init(&h);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(
			handle_add(&h, i & 1 ? HANDLE_DIR : HANDLE_CTL, &objects[i], &fh[i]), 0);
	for (int i = 0; i < 300; i++) {
		ck_assert_ptr_eq(handle_find(&h, i & 1 ? HANDLE_DIR : HANDLE_CTL, fh[i]),
				 &objects[i]);
		ck_assert_ptr_null(handle_find(&h, i & 1 ? HANDLE_CTL : HANDLE_DIR, fh[i]));
		ck_assert_ptr_null(handle_find(&h, HANDLE_DIR, fh[i] + (UINT64_C(1) << 32)));
	}
	ck_assert_ptr_eq(handle_remove(&h, HANDLE_DIR, fh[7]), &objects[7]);
	ck_assert_ptr_null(handle_remove(&h, HANDLE_DIR, fh[7]));
	ck_assert_int_eq(handle_add(&h, HANDLE_DIR, &objects[0], &reused), 0);
	ck_assert_uint_ne(reused, fh[7]);
	ck_assert_ptr_null(handle_find(&h, HANDLE_DIR, fh[7]));
	for (int i = 0; i < 150; i++)
		ck_assert_ptr_nonnull(handle_remove_any(&h, HANDLE_DIR));
	ck_assert_ptr_null(handle_remove_any(&h, HANDLE_DIR));
	ck_assert_ptr_eq(handle_find(&h, HANDLE_CTL, fh[0]), &objects[0]);
	handles_free(&h);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("fuse_proto");

	CHECK_CASE(suite, "proto", whole_requests_pass, short_ones_do_not, names_are_no_paths,
		   lengths_agree, unknown_operations_are_said_so, the_short_form_of_setxattr);
	CHECK_CASE(suite, "init", init_agrees_on_what_is_offered, init_asks_for_nothing_else,
		   init_of_other_protocols_is_refused);
	CHECK_CASE(suite, "handle", handles_name_what_they_were_made_for);
	return suite;
}

CHECK_MAIN(make_suite)
