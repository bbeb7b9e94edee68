// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages for people: formatting, escaping, sinks, rate limit. */
#include "common/messages.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"

enum sink {
	SINK_STDERR,
	SINK_JOURNAL,
	SINK_SYSLOG,
	SINK_CALLBACK,
	SINK_UNSET, /* standard error, not yet looked at */
};

static const char *program = "lcfs"; /* const once threads run */
/* Both const while the sink is SINK_CALLBACK. */
static void (*callback)(enum msg_level, const char *, void *);
static void *callback_arg;
static _Atomic int current_sink = SINK_UNSET;
static _Atomic int current_level = MSG_INFO;

void msg_set_program(const char *name)
{
	program = name;
}

void msg_set_level(enum msg_level level)
{
	atomic_store(&current_level, (int)level);
}

bool msg_is_enabled(enum msg_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

/* JOURNAL_STREAM names the journal's stream; standard error may have been redirected since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static int stderr_sink(void)
{
	return stderr_is_journal() ? SINK_JOURNAL : SINK_STDERR;
}

void msg_to_stderr(void)
{
	atomic_store(&current_sink, stderr_sink());
}

void msg_to_syslog(void)
{
	openlog(program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	atomic_store(&current_sink, SINK_SYSLOG);
}

void msg_to_callback(void (*fn)(enum msg_level, const char *, void *), void *arg)
{
	callback = fn;
	callback_arg = arg;
	atomic_store(&current_sink, SINK_CALLBACK);
}

/* Copies text to out, control characters as \ooo, cut to size - 1 bytes. */
static void escape(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		size_t need = c < 0x20 || c == 0x7f ? 4 : 1;

		if (n + need >= size)
			break;
		if (need == 1)
			out[n] = (char)c;
		else
			snprintf(out + n, size - n, "\\%03o", (unsigned int)c);
		n += need;
	}
	out[n] = '\0';
}

static const char *level_word(enum msg_level level)
{
	switch (level) {
	case MSG_WARN:
		return "warning: ";
	case MSG_DEBUG:
		return "debug: ";
	case MSG_ERR:
	case MSG_INFO:
		break;
	}
	return "";
}

static void send_stderr(enum msg_level level, const char *text, bool to_journal)
{
	char line[MSG_MAX + 128];
	ssize_t ignored;
	int n;

	if (to_journal)
		n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
	else
		n = snprintf(line, sizeof(line), "%s: %s%s\n", program, level_word(level), text);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line);
		line[n - 1] = '\n';
	}
	/* There is no one left to tell when this fails. */
	ignored = write(STDERR_FILENO, line, (size_t)n);
	(void)ignored;
}

static enum sink sink_in_use(void)
{
	int sink = atomic_load(&current_sink);

	/* If another thread sets a sink meanwhile, that one counts, and sink has it. */
	if (sink == SINK_UNSET &&
	    atomic_compare_exchange_strong(&current_sink, &sink, stderr_sink()))
		sink = atomic_load(&current_sink);
	return (enum sink)sink;
}

void msg_send(enum msg_level level, const char *format, ...)
{
	int saved = errno;
	char raw[MSG_MAX];
	char text[MSG_MAX];
	va_list args;

	if (!msg_is_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	escape(text, sizeof(text), raw);

	switch (sink_in_use()) {
	case SINK_UNSET:
	case SINK_STDERR:
		send_stderr(level, text, false);
		break;
	case SINK_JOURNAL:
		send_stderr(level, text, true);
		break;
	case SINK_SYSLOG:
		syslog((int)level, "%s", text);
		break;
	case SINK_CALLBACK:
		callback(level, text, callback_arg);
		break;
	}
	errno = saved;
}

bool msg_ratelimit_pass(struct msg_ratelimit *limit, uint64_t now_ns, unsigned int *suppressed)
{
	uint64_t start = atomic_load(&limit->window_start_ns);

	*suppressed = 0;
	if (start == 0 || (now_ns > start && now_ns - start >= MSG_INTERVAL_NS)) {
		/* Of several threads that see the window end, one begins the next. */
		if (atomic_compare_exchange_strong(&limit->window_start_ns, &start, now_ns)) {
			unsigned int sent = atomic_exchange(&limit->sent, 1);

			*suppressed = sent > MSG_BURST ? sent - MSG_BURST : 0;
			return true;
		}
	}
	return atomic_fetch_add(&limit->sent, 1) < MSG_BURST;
}

bool msg_ratelimit_check_(struct msg_ratelimit *limit, enum msg_level level)
{
	unsigned int suppressed;
	bool pass = msg_ratelimit_pass(limit, clock_mono_ns(), &suppressed);

	if (suppressed > 0)
		msg_send(level, "%u messages like the next one were left out", suppressed);
	return pass;
}
