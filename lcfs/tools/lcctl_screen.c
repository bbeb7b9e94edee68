// SPDX-License-Identifier: GPL-2.0-or-later
/* The terminal while a live screen is on it. Signals are taken from a descriptor, at rest. */
#include "lcfs/tools/lcctl_screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/messages.h"

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"

static struct termios before;
static int signals = -1;

static void take_terminal(void)
{
	struct termios raw = before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	fputs(ENTER, stdout);
	fflush(stdout);
}

static void give_back_terminal(void)
{
	fputs(LEAVE, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

static void wanted_signals(sigset_t *set)
{
	static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };

	sigemptyset(set);
	for (size_t i = 0; i < array_size(wanted); i++)
		sigaddset(set, wanted[i]);
}

bool screen_begin(void)
{
	sigset_t set;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    tcgetattr(STDIN_FILENO, &before) < 0) {
		msg_err("top: this is no terminal: use 'lcctl iostat'");
		return false;
	}
	wanted_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0) {
		msg_err("top: signalfd: %s", strerror(errno));
		return false;
	}
	take_terminal();
	return true;
}

void screen_end(void)
{
	give_back_terminal();
	close(signals);
}

void screen_size(unsigned int *columns, unsigned int *rows)
{
	struct winsize w;
	bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row;

	*columns = is_known ? w.ws_col : 80;
	*rows = is_known ? w.ws_row : 24;
}

/* A line, cut to the columns; returns where the next begins. */
static const char *show_line(const char *text, unsigned int columns)
{
	for (; *text && *text != '\n'; text++) {
		bool is_start = (*text & 0xc0) != 0x80; /* of a character of UTF-8 */

		if (columns || !is_start)
			putchar(*text);
		columns -= columns && is_start;
	}
	fputs("\033[K", stdout);
	return *text ? text + 1 : text;
}

void screen_show(const char *text)
{
	unsigned int columns, rows;

	screen_size(&columns, &rows);
	fputs("\033[H", stdout);
	for (unsigned int row = 0; *text && row < rows; row++) {
		if (row)
			fputs("\r\n", stdout);
		text = show_line(text, columns);
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

/* ^Z: the shell gets its terminal as it was. */
static void stop(void)
{
	sigset_t set;

	give_back_terminal();
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* stops here */
	sigprocmask(SIG_BLOCK, &set, NULL);
	take_terminal();
}

static int on_signal(void)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return SCREEN_END;
	if (info.ssi_signo == SIGWINCH)
		return SCREEN_REDRAW;
	if (info.ssi_signo != SIGTSTP)
		return SCREEN_END;
	stop();
	return SCREEN_REDRAW;
}

int screen_key(uint64_t until_ns)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
			       { .fd = signals, .events = POLLIN } };
	uint64_t now = clock_mono_ns();
	int ms = until_ns > now ? (int)((until_ns - now) / NSEC_PER_MSEC) + 1 : 0;
	unsigned char key;

	if (poll(p, 2, ms) <= 0)
		return SCREEN_TIMEOUT;
	if (p[1].revents)
		return on_signal();
	return read(STDIN_FILENO, &key, 1) == 1 ? key : SCREEN_END;
}
