/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for people: one line each, to standard error, syslog or a callback.
 *
 * Any thread may send one; each goes out by one write(2), keeps errno, and has its control
 * characters escaped, so that a file name cannot forge a line. A line longer than MSG_MAX bytes is
 * cut.
 *
 * "where: what: why", without a newline; for what the user can mend, add what to do.
 */
#ifndef COMMON_MESSAGES_H
#define COMMON_MESSAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

#define MSG_MAX 1024

/* The values are those of syslog(3). */
enum msg_level {
	MSG_ERR = 3,
	MSG_WARN = 4,
	MSG_INFO = 6,
	MSG_DEBUG = 7,
};

#define msg_err(...) msg_send(MSG_ERR, __VA_ARGS__)
#define msg_warn(...) msg_send(MSG_WARN, __VA_ARGS__)
#define msg_info(...) msg_send(MSG_INFO, __VA_ARGS__)
#define msg_debug(...) msg_send(MSG_DEBUG, __VA_ARGS__)

/*
 * For what may happen once a request: each place in the code gets through MSG_BURST times in
 * MSG_INTERVAL_NS; the first message after that tells how many were left out.
 */
#define msg_err_ratelimited(...) msg_ratelimited_(MSG_ERR, __VA_ARGS__)
#define msg_warn_ratelimited(...) msg_ratelimited_(MSG_WARN, __VA_ARGS__)
#define msg_info_ratelimited(...) msg_ratelimited_(MSG_INFO, __VA_ARGS__)

/*
 * What stands before each message on standard error, and the syslog identity. Not copied. Before
 * any thread starts.
 */
void msg_set_program(const char *name);

/* Messages less urgent than level are dropped; MSG_INFO at the start. At any time. */
void msg_set_level(enum msg_level level);
bool msg_is_enabled(enum msg_level level);

/*
 * Where messages go. Standard error is the start; there each line has the "<N>" of sd-daemon(3) if
 * standard error is the journal's stream. The callback gets the escaped text without prefix or
 * newline, from any thread, and sends no message itself. Switching away from a callback may be done
 * at any time, but one call of it may still be under way; another callback may be set only while
 * one thread runs.
 */
void msg_to_stderr(void);
void msg_to_syslog(void);
void msg_to_callback(void (*fn)(enum msg_level level, const char *text, void *arg), void *arg);

void msg_send(enum msg_level level, const char *format, ...) printf_like(2, 3);

#define MSG_BURST 10
#define MSG_INTERVAL_NS UINT64_C(5000000000)

/* All zero at the start. */
struct msg_ratelimit {
	_Atomic uint64_t window_start_ns; /* 0: no window yet */
	_Atomic unsigned int sent;	  /* in this window, those left out included */
};

/*
 * Whether a message at now_ns (not 0) gets through. *suppressed is how many were left out before
 * it, to be told once; it is 0 unless a new window begins with this message.
 */
bool msg_ratelimit_pass(struct msg_ratelimit *limit, uint64_t now_ns, unsigned int *suppressed);

/* msg_ratelimit_pass() by the clock, with the notice of those left out sent at level. */
bool msg_ratelimit_check_(struct msg_ratelimit *limit, enum msg_level level);

#define msg_ratelimited_(level, ...)                                                   \
	do {                                                                           \
		static struct msg_ratelimit ratelimit_;                                \
		if (msg_is_enabled(level) && msg_ratelimit_check_(&ratelimit_, level)) \
			msg_send(level, __VA_ARGS__);                                  \
	} while (0)

#endif
