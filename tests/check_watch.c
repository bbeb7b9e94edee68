// SPDX-License-Identifier: GPL-2.0-or-later
/* What the service manager hears, in which state, and what it must not hear. */
#include "lcfs/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/messages.h"
#include "tests/check_main.h"

#define TICK_MS 10
/* A word that must come is waited for; one that must not gets this long. */
#define PATIENCE_MS 20000
#define SILENCE_MS 150

static char dir[] = "/tmp/check_watch.XXXXXX";
static char path[64];
static int manager = -1; /* the service manager's end */
static struct watch w;

static void listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const void *to = &at;
	size_t len = strlen(name);

	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(
		bind(manager, to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void setup(void)
{
	strcpy(dir, "/tmp/check_watch.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	listen_at(path);
}

static void teardown(void)
{
	close(manager);
	unlink(path);
	rmdir(dir);
}

/* The next datagram; false if there is none for ms. */
static bool hears(char *text, size_t size, int ms)
{
	struct pollfd p = { .fd = manager, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	n = recv(manager, text, size - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	return true;
}

/* Waits for a datagram that has `line` among its lines. */
static void expect(const char *line)
{
	char text[1024], seen[1100];

	for (;;) {
		ck_assert_msg(hears(text, sizeof(text), PATIENCE_MS), "no '%s'", line);
		snprintf(seen, sizeof(seen), "\n%s\n", text);
		if (strstr(seen, line))
			return;
	}
}

/* Nothing with `part` comes for a while. */
static void expect_none(const char *part)
{
	char text[1024];

	while (hears(text, sizeof(text), SILENCE_MS))
		ck_assert_msg(!strstr(text, part), "'%s' comes", text);
}

static void start(void)
{
	ck_assert_int_eq(watch_start(&w, "/mnt/lc", TICK_MS), 0);
}

static int proof_result;
static _Atomic bool is_hanging;
static _Atomic int proofs;

static int prove(void *ctx)
{
	ck_assert_ptr_eq(ctx, &proof_result);
	while (atomic_load(&is_hanging))
		usleep(1000);
	atomic_fetch_add(&proofs, 1);
	return proof_result;
}

START_TEST(the_whole_life)
{
	start();
	expect("\nSTATUS=/mnt/lc: opening the cache\n");
	watch_serving(&w, prove, &proof_result);
	expect("\nREADY=1\nSTATUS=/mnt/lc: serving\n");
	watch_stopping(&w);
	watch_stopping(&w);
	expect("\nSTOPPING=1\n");
	watch_closing(&w);
	expect("\nEXTEND_TIMEOUT_USEC=120000000\nSTATUS=/mnt/lc: closing the cache\n");
	expect_none("STOPPING");
	watch_end(&w);
	ck_assert_int_eq(proofs, 0);
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "1000", 1);
	start();
	ck_assert(!w.has_thread);
	watch_serving(&w, prove, &proof_result);
	watch_closing(&w);
	watch_end(&w);
	expect_none("");
	ck_assert_int_eq(proofs, 0);
}
END_TEST

START_TEST(an_abstract_socket)
{
	char name[80];

	close(manager);
	snprintf(name, sizeof(name), "@check_watch.%d", (int)getpid());
	listen_at(name);
	start();
	expect("\nSTATUS=/mnt/lc: opening the cache\n");
	watch_end(&w);
}
END_TEST

START_TEST(the_environment_is_not_handed_on)
{
	setenv("WATCHDOG_USEC", "1000000", 1);
	start();
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_uint_eq(w.notify.watchdog_us, 1000000);
	watch_end(&w);
}
END_TEST

static char said[512];

static void on_message(enum msg_level level, const char *text, void *arg)
{
	(void)level;
	(void)arg;
	snprintf(said, sizeof(said), "%s", text);
}

START_TEST(a_socket_that_is_none_is_told_of)
{
	char name[200];

	msg_to_callback(on_message, NULL);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	start();
	ck_assert_ptr_nonnull(strstr(said, "vsock:2:1234"));
	watch_end(&w);
	said[0] = '\0';
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	start();
	ck_assert_ptr_nonnull(strstr(said, "too long"));
	watch_end(&w);
}
END_TEST

static int no_read(struct blkdev *dev, void *buf, uint64_t len, uint64_t off)
{
	(void)dev;
	(void)buf;
	(void)len;
	return off ? -EIO : 0;
}

static const struct blkdev_ops dev_ops = { .read = no_read };

START_TEST(more_time_is_asked_for_while_recovery_reads)
{
	struct blkdev below = { .ops = &dev_ops, .bytes = 1 << 20 };
	struct watch_dev watched;
	struct blkdev *dev;

	start();
	dev = watch_dev(&watched, &below);
	ck_assert_uint_eq(dev->bytes, 1 << 20);
	expect_none("EXTEND_TIMEOUT_USEC");
	ck_assert_int_eq(blkdev_read(dev, NULL, 3 << 20, 0), 0);
	expect("\nEXTEND_TIMEOUT_USEC=30000000\nSTATUS=/mnt/lc: recovering the cache, "
	       "3 MiB read\n");
	expect_none("EXTEND_TIMEOUT_USEC");
	/* what fails does not move on */
	ck_assert_int_eq(blkdev_read(dev, NULL, 1 << 20, 4096), -EIO);
	expect_none("EXTEND_TIMEOUT_USEC");
	ck_assert_int_eq(blkdev_read(dev, NULL, 1 << 20, 0), 0);
	expect("\nSTATUS=/mnt/lc: recovering the cache, 4 MiB read\n");
	watch_end(&w);
}
END_TEST

START_TEST(more_time_is_asked_for_while_images_meet_their_files)
{
	start();
	expect("\nSTATUS=/mnt/lc: opening the cache\n");
	watch_looked();
	expect("\nEXTEND_TIMEOUT_USEC=30000000\nSTATUS=/mnt/lc: finding the images, "
	       "1 files looked at\n");
	expect_none("EXTEND_TIMEOUT_USEC");
	watch_looked();
	watch_looked();
	expect("\nSTATUS=/mnt/lc: finding the images, 3 files looked at\n");
	/* for a cache that comes later nobody waits */
	watch_serving(&w, NULL, NULL);
	expect("\nREADY=1\n");
	watch_looked();
	expect_none("EXTEND_TIMEOUT_USEC");
	watch_end(&w);
}
END_TEST

START_TEST(a_sign_of_life_needs_an_engine_that_answers)
{
	setenv("WATCHDOG_USEC", "20000", 1);
	start();
	expect_none("WATCHDOG");
	watch_serving(&w, prove, &proof_result);
	expect("\nWATCHDOG=1\n");
	expect("\nWATCHDOG=1\n");
	atomic_store(&is_hanging, true);
	while (hears((char[1024]){ 0 }, 1024, SILENCE_MS))
		;
	expect_none("WATCHDOG");
	atomic_store(&is_hanging, false);
	expect("\nWATCHDOG=1\n");
	watch_stopping(&w);
	expect("\nSTOPPING=1\n");
	expect("\nWATCHDOG=1\n");
	watch_closing(&w);
	ck_assert_int_gt(proofs, 3);
	expect("\nSTATUS=/mnt/lc: closing the cache\n");
	expect_none("WATCHDOG");
	watch_end(&w);
}
END_TEST

START_TEST(an_engine_that_answers_with_an_error_is_alive)
{
	setenv("WATCHDOG_USEC", "20000", 1);
	proof_result = -EIO;
	start();
	watch_serving(&w, prove, &proof_result);
	expect("\nWATCHDOG=1\nSTATUS=/mnt/lc: the cache cannot be synced: Input/output error\n");
	watch_closing(&w);
	watch_end(&w);
}
END_TEST

START_TEST(the_watchdog_of_another_process_is_not_ours)
{
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	start();
	watch_serving(&w, prove, &proof_result);
	expect_none("WATCHDOG");
	watch_closing(&w);
	watch_end(&w);
}
END_TEST

static void *close_watch(void *arg)
{
	watch_closing(&w);
	return arg;
}

START_TEST(closing_waits_for_a_proof_under_way)
{
	pthread_t thread;

	setenv("WATCHDOG_USEC", "20000", 1);
	start();
	atomic_store(&is_hanging, true);
	watch_serving(&w, prove, &proof_result);
	/* until it is in the proof */
	for (bool is_proving = false; !is_proving; usleep(1000)) {
		mutex_lock(&w.lock);
		is_proving = w.is_proving;
		mutex_unlock(&w.lock);
	}
	ck_assert_int_eq(pthread_create(&thread, NULL, close_watch, NULL), 0);
	expect("\nSTOPPING=1\n");
	expect_none("closing");
	atomic_store(&is_hanging, false);
	pthread_join(thread, NULL);
	ck_assert(!w.is_proving);
	watch_end(&w);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("watch");
	TCase *tc = tcase_create("watch");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_whole_life);
	tcase_add_test(tc, without_a_manager_nothing_happens);
	tcase_add_test(tc, an_abstract_socket);
	tcase_add_test(tc, the_environment_is_not_handed_on);
	tcase_add_test(tc, a_socket_that_is_none_is_told_of);
	tcase_add_test(tc, more_time_is_asked_for_while_recovery_reads);
	tcase_add_test(tc, more_time_is_asked_for_while_images_meet_their_files);
	tcase_add_test(tc, a_sign_of_life_needs_an_engine_that_answers);
	tcase_add_test(tc, an_engine_that_answers_with_an_error_is_alive);
	tcase_add_test(tc, the_watchdog_of_another_process_is_not_ours);
	tcase_add_test(tc, closing_waits_for_a_proof_under_way);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
