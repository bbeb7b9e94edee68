// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The simulation as a program: many worlds, each from a seed, with crashes and recoveries.
 *
 *	sim                        a fresh seed for each world, --cycles in all; the first is
 * printed sim --seed N               one world, or with --worlds N those from this seed on sim
 * --seconds N            until the time is up
 *
 * Exit status 1: something was wrong; the seed to repeat it with stands in the last line.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/plan.h"

#define HANG_SECONDS 120 /* of processor time: the machine may be busy */

struct options {
	uint64_t seed;
	bool has_seed;
	uint64_t worlds, cycles, seconds;
	struct plan_run run;
};

static volatile uint64_t current_seed;

/* A crash or a loop in the core: say which seed it was. Formatted by hand, as in a signal handler.
 */
static void on_signal(int sig)
{
	static const char before[] =
		"\nFAILED: killed by a signal or hung; repeat with: tests/sim/sim --seed ";
	char digits[24];
	size_t n = sizeof(digits);
	uint64_t v = current_seed;

	digits[--n] = '\n';
	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	if (write(STDOUT_FILENO, before, sizeof(before) - 1) < 0 ||
	    write(STDOUT_FILENO, digits + n, sizeof(digits) - n) < 0)
		_exit(1);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Nothing here waits: what hangs, runs. */
static void limit_world(void)
{
	struct itimerval limit = { .it_value.tv_sec = HANG_SECONDS };

	if (setitimer(ITIMER_PROF, &limit, NULL) < 0)
		abort();
}

static void watch_signals(void)
{
	static const int sigs[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGPROF };

	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		signal(sigs[i], on_signal);
}

static noreturn_ void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: sim [--seed N] [--worlds N] [--cycles N] [--seconds N] [--world-cycles N]\n"
		"           [--turns N] [--steps N] [--verbose]\n"
		"  --seed N          seed of the first world (else a fresh one, which is printed)\n"
		"  --worlds N        so many worlds (default: 1 with --seed)\n"
		"  --cycles N        worlds until so many crashes were survived\n"
		"  --seconds N       worlds until the time is up\n"
		"  --world-cycles N  cycles of a world, default 15\n"
		"  --turns N         turns of a cycle, on average, default 400\n"
		"  --steps N         steps to print on failure, default 120\n"
		"  --verbose         print each step\n");
	exit(status);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 0);

	if (*end || end == text)
		usage(2);
	return v;
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "worlds", required_argument, NULL, 'w' },
		{ "cycles", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 't' },
		{ "world-cycles", required_argument, NULL, 'y' },
		{ "turns", required_argument, NULL, 'n' },
		{ "steps", required_argument, NULL, 'k' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*o = (struct options){ .run = { .cycles = 15, .turns = 400 } };
	while ((c = getopt_long(argc, argv, "s:w:c:t:n:k:vh", long_options, NULL)) != -1) {
		if (c == 's') {
			o->seed = number(optarg);
			o->has_seed = true;
		} else if (c == 'w') {
			o->worlds = number(optarg);
		} else if (c == 'c') {
			o->cycles = number(optarg);
		} else if (c == 't') {
			o->seconds = number(optarg);
		} else if (c == 'y') {
			o->run.cycles = (uint32_t)number(optarg);
		} else if (c == 'n') {
			o->run.turns = (uint32_t)number(optarg);
			if (!o->run.turns)
				usage(2);
		} else if (c == 'k') {
			trace_nr_kept = (uint32_t)number(optarg);
		} else if (c == 'v') {
			trace_is_verbose = true;
		} else {
			usage(c == 'h' ? 0 : 2);
		}
	}
	if (optind < argc)
		usage(2);
	if (!o->worlds && !o->cycles && !o->seconds)
		o->worlds = 1;
}

static uint64_t fresh_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return rng_mix((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec +
		       (uint64_t)getpid()) >>
	       32;
}

static uint64_t seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

int main(int argc, char **argv)
{
	uint64_t crashes = 0, worlds = 0, start = seconds_now();
	struct sim_conf conf;
	struct options o;

	parse(&o, argc, argv);
	if (!o.has_seed)
		o.seed = fresh_seed();
	printf("first seed %" PRIu64 "\n", o.seed);
	fflush(stdout);
	watch_signals();
	for (;;) {
		if (o.worlds && worlds >= o.worlds)
			break;
		if (o.cycles && crashes >= o.cycles)
			break;
		if (o.seconds && seconds_now() - start >= o.seconds)
			break;
		current_seed = o.seed + worlds;
		limit_world();
		plan_conf(&conf, current_seed);
		crashes += plan_run(&conf, &o.run);
		worlds++;
	}
	printf("%" PRIu64 " worlds, %" PRIu64 " crashes survived, %" PRIu64 " s\n", worlds, crashes,
	       seconds_now() - start);
	return EXIT_SUCCESS;
}
