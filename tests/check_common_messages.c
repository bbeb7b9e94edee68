// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages: their form on standard error, escaping, levels, rate limit, threads. */
#include "common/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check_main.h"

static char captured[4096];
static int capture_pipe[2];

/* Standard error goes to a pipe until capture_end(), which puts what came into captured. */
static void capture_begin(void)
{
	ck_assert_int_eq(pipe2(capture_pipe, O_NONBLOCK), 0);
	ck_assert_int_ge(dup2(capture_pipe[1], STDERR_FILENO), 0);
}

static void capture_end(void)
{
	ssize_t n = read(capture_pipe[0], captured, sizeof(captured) - 1);

	captured[n > 0 ? n : 0] = '\0';
}

static void to_pipe(const char *journal_stream)
{
	capture_begin();
	if (journal_stream)
		setenv("JOURNAL_STREAM", journal_stream, 1);
	else
		unsetenv("JOURNAL_STREAM");
	msg_set_program("prog");
	msg_to_stderr();
}

START_TEST(a_line_has_program_level_and_text)
{
	to_pipe(NULL);
	msg_set_level(MSG_DEBUG);
	msg_err("%s: gone", "a");
	msg_warn("b%d", 1);
	msg_info("c");
	msg_debug("d");
	capture_end();
	ck_assert_str_eq(captured, "prog: a: gone\nprog: warning: b1\nprog: c\nprog: debug: d\n");
}
END_TEST

START_TEST(less_urgent_messages_are_dropped)
{
	to_pipe(NULL);
	msg_debug("not by default");
	msg_info("yes");
	msg_set_level(MSG_ERR);
	msg_warn("no");
	msg_err("still");
	capture_end();
	ck_assert_str_eq(captured, "prog: yes\nprog: still\n");
	ck_assert(!msg_is_enabled(MSG_WARN));
}
END_TEST

START_TEST(the_journal_gets_level_prefixes)
{
	char stream[64];
	struct stat st;

	capture_begin();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	msg_to_stderr();
	msg_warn("a");
	msg_err("b");
	capture_end();
	ck_assert_str_eq(captured, "<4>a\n<3>b\n");
}
END_TEST

START_TEST(a_redirected_stderr_is_not_taken_for_the_journal)
{
	to_pipe("1:1");
	msg_err("b");
	capture_end();
	ck_assert_str_eq(captured, "prog: b\n");
	to_pipe("nonsense");
	msg_err("c");
	capture_end();
	ck_assert_str_eq(captured, "prog: c\n");
}
END_TEST

START_TEST(control_characters_cannot_forge_a_line)
{
	to_pipe(NULL);
	msg_err("%s", "a\nprog: b\033[2J\177 \xc3\xa9");
	capture_end();
	ck_assert_str_eq(captured, "prog: a\\012prog: b\\033[2J\\177 \xc3\xa9\n");
}
END_TEST

START_TEST(a_long_message_is_cut_to_one_line)
{
	char text[3000];

	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	to_pipe(NULL);
	msg_err("%s", text);
	msg_err("next");
	capture_end();
	ck_assert_uint_lt(strlen(captured), MSG_MAX + 32);
	ck_assert_ptr_nonnull(strstr(captured, "\\012\nprog: next\n"));
}
END_TEST

START_TEST(errno_is_kept_and_can_be_printed)
{
	to_pipe(NULL);
	errno = ENOENT;
	msg_err("x: %m");
	ck_assert_int_eq(errno, ENOENT);
	capture_end();
	ck_assert_str_eq(captured, "prog: x: No such file or directory\n");
}
END_TEST

START_TEST(a_failing_write_keeps_errno)
{
	msg_to_stderr();
	close(STDERR_FILENO);
	errno = ENOSPC;
	msg_err("lost");
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

struct collected {
	enum msg_level level;
	unsigned int count;
	char last[MSG_MAX];
};

static void collect(enum msg_level level, const char *text, void *arg)
{
	struct collected *c = arg;

	c->level = level;
	c->count++;
	snprintf(c->last, sizeof(c->last), "%s", text);
}

START_TEST(a_callback_gets_level_and_bare_text)
{
	struct collected c = { .count = 0 };

	msg_to_callback(collect, &c);
	msg_warn("a %d", 1);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq((int)c.level, MSG_WARN);
	ck_assert_str_eq(c.last, "a 1");
}
END_TEST

START_TEST(a_flood_is_cut_to_the_burst)
{
	struct collected c = { .count = 0 };

	msg_to_callback(collect, &c);
	for (int i = 0; i < 1000; i++)
		msg_err_ratelimited("flood %d", i);
	ck_assert_uint_ge(c.count, MSG_BURST);
	/* Twice, should the clock reach a new window just now; then the notice comes too. */
	ck_assert_uint_le(c.count, 2 * MSG_BURST + 1);
	msg_err_ratelimited("another place has its own limit");
	ck_assert_str_eq(c.last, "another place has its own limit");
}
END_TEST

START_TEST(a_new_window_tells_how_many_were_left_out)
{
	struct msg_ratelimit limit = { 0 };
	unsigned int suppressed = 1;
	uint64_t now = 12345;

	for (unsigned int i = 0; i < MSG_BURST + 7; i++) {
		ck_assert(msg_ratelimit_pass(&limit, now + i, &suppressed) == (i < MSG_BURST));
		ck_assert_uint_eq(suppressed, 0);
	}
	ck_assert(!msg_ratelimit_pass(&limit, now + MSG_INTERVAL_NS - 1, &suppressed));
	/* Another thread read the clock before this window began. */
	ck_assert(!msg_ratelimit_pass(&limit, now - 1, &suppressed));
	ck_assert(msg_ratelimit_pass(&limit, now + MSG_INTERVAL_NS, &suppressed));
	ck_assert_uint_eq(suppressed, 9);
	ck_assert(msg_ratelimit_pass(&limit, now + MSG_INTERVAL_NS + 1, &suppressed));
	ck_assert_uint_eq(suppressed, 0);
}
END_TEST

static void *send_lines(unused_ void *arg)
{
	for (int i = 0; i < 500; i++)
		msg_info("0123456789012345678901234567890123456789");
	return NULL;
}

START_TEST(lines_of_threads_are_never_mixed)
{
	static const char want[] = "prog: 0123456789012345678901234567890123456789\n";
	pthread_t threads[4];
	char line[256];
	FILE *file = tmpfile();
	int lines = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fcntl(fileno(file), F_SETFL, O_APPEND), 0);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	unsetenv("JOURNAL_STREAM");
	msg_set_program("prog");
	msg_to_stderr();
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, send_lines, NULL);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		ck_assert_str_eq(line, want);
		lines++;
	}
	ck_assert_int_eq(lines, 2000);
	fclose(file);
}
END_TEST

static Suite *messages_suite(void)
{
	Suite *s = suite_create("messages");

	CHECK_CASE(s, "stderr", a_line_has_program_level_and_text, less_urgent_messages_are_dropped,
		   the_journal_gets_level_prefixes,
		   a_redirected_stderr_is_not_taken_for_the_journal,
		   control_characters_cannot_forge_a_line, a_long_message_is_cut_to_one_line,
		   errno_is_kept_and_can_be_printed, a_failing_write_keeps_errno,
		   lines_of_threads_are_never_mixed);
	CHECK_CASE(s, "callback", a_callback_gets_level_and_bare_text);
	CHECK_CASE(s, "ratelimit", a_flood_is_cut_to_the_burst,
		   a_new_window_tells_how_many_were_left_out);
	return s;
}

CHECK_MAIN(messages_suite)
