// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine alone, without a filesystem above: how much of the device's own speed is left.
 *
 *	stream    threads write 4 KiB at random places of an image that does not migrate, against
 *	          sequential direct writes of 1 MiB, 8 at a time, to the same part of the device
 *	sync      one thread, one block, written and synced, against an 8 KiB write and fdatasync
 *	recovery  of what the last stream left dirty
 *
 * The two sides of a comparison take turns, and the medians are compared. Everything that is on
 * the device is lost. On a machine that is not idle the figures of the engine suffer most, since it
 * has several threads to schedule: "chrt -f 5" keeps others away.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/parse.h"
#include "lcfs/io/loop.h"
#include "lcfs/io/uuid.h"
#include "tests/fake/cacherig.h"

#define MIB (1u << 20)
#define RAW_DEPTH 8u
#define SYNC_OPS 2000u
#define SYNC_THREADS 16u
#define ROUNDS_MAX 20

static struct {
	const char *path;
	uint64_t bytes; /* of log writing in a round */
	unsigned int threads, rounds, buffers;
	bool has_fio, has_samples;
	const char *only; /* letters of the comparisons to make */
} opt = { .bytes = 1ull << 30,
	  .threads = 4,
	  .rounds = 5,
	  .buffers = 64,
	  .has_fio = true,
	  .only = "spr" };

static struct cacherig rig;
static int backing_file;

static void fail(const char *what, int err)
{
	fprintf(stderr, "bench_engine: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(EXIT_FAILURE);
}

/* ------------------------------------------------------------------ numbers */

struct series {
	double value[ROUNDS_MAX];
	unsigned int nr;
};

static void series_add(struct series *s, double v)
{
	s->value[s->nr++] = v;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(struct series s)
{
	qsort(s.value, s.nr, sizeof(s.value[0]), compare);
	return s.nr % 2 ? s.value[s.nr / 2] : (s.value[s.nr / 2 - 1] + s.value[s.nr / 2]) / 2;
}

static void print_series(const char *name, struct series s, const char *unit)
{
	double mid = median(s);

	qsort(s.value, s.nr, sizeof(s.value[0]), compare);
	printf("  %-34s %9.1f %s (%.1f .. %.1f)\n", name, mid, unit, s.value[0], s.value[s.nr - 1]);
}

/* A line for scripts/bench. */
static void print_samples(const char *side, struct series s, const struct series *cpu)
{
	for (unsigned int i = 0; opt.has_samples && i < s.nr; i++)
		printf("sample %s %u %.3f %.3f\n", side, i, s.value[i], cpu ? cpu->value[i] : 0);
}

static double seconds_since(uint64_t start)
{
	return (double)(clock_mono_ns() - start) / 1e9;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ------------------------------------------------------------------ the device itself */

struct raw {
	struct loop_op op;
	struct iovec iov;
	uint64_t *next, end;
	struct loop *loop;
};

static void raw_next(struct raw *r)
{
	if (*r->next >= r->end)
		return;
	r->op.off = *r->next;
	*r->next += MIB;
	loop_start(r->loop, &r->op);
}

static void raw_done(struct loop_op *op, int result)
{
	if (result < 0)
		fail("raw write", result);
	raw_next(container_of(op, struct raw, op));
}

/* MB/s of sequential writes where the segments are, flush included. */
static double raw_stream(uint64_t start, uint64_t bytes)
{
	struct loop_conf conf = { .depth = RAW_DEPTH };
	struct iobuf_region mem;
	struct raw raw[RAW_DEPTH];
	uint64_t next = start, from;
	struct loop *loop;

	if (loop_open(&loop, &conf) || iobuf_region_alloc(&mem, RAW_DEPTH * MIB) ||
	    random_fill(mem.mem, mem.bytes))
		fail("raw writes", -ENOMEM);
	from = clock_mono_ns();
	for (unsigned int i = 0; i < RAW_DEPTH; i++) {
		raw[i] = (struct raw){ .next = &next, .end = start + bytes, .loop = loop };
		raw[i].iov = (struct iovec){ (char *)mem.mem + (size_t)i * MIB, MIB };
		raw[i].op = (struct loop_op){ .fd = cachedev_fd(rig.dev),
					      .is_write = true,
					      .iov = &raw[i].iov,
					      .nr_iov = 1,
					      .done = raw_done };
		raw_next(&raw[i]);
	}
	while (loop_in_flight(loop))
		loop_run(loop, UINT64_MAX);
	if (blkdev_flush(cachedev_blkdev(rig.dev)))
		fail("flush", -EIO);
	loop_close(loop);
	iobuf_region_free(&mem);
	return (double)bytes / 1e6 / seconds_since(from);
}

/* Microseconds of an 8 KiB write and its flush. */
static double raw_sync(uint64_t start)
{
	static _Alignas(4096) char data[8192];
	struct blkdev *dev = cachedev_blkdev(rig.dev);
	uint64_t from = clock_mono_ns();

	for (unsigned int i = 0; i < SYNC_OPS; i++) {
		memset(data, (int)i, sizeof(data));
		if (blkdev_write(dev, data, sizeof(data), start + i * sizeof(data)) ||
		    blkdev_flush(dev))
			fail("raw write", -EIO);
	}
	return seconds_since(from) * 1e6 / SYNC_OPS;
}

/* What fio gets, MB/s; 0 without it. Its own descriptor: the file's lock does not hinder it. */
static double fio_stream(uint64_t start, uint64_t bytes)
{
	char command[600], line[64] = "";
	double mb = 0;
	FILE *f;

	snprintf(command, sizeof(command),
		 "fio --name=raw --filename=%s --allow_file_create=0 --direct=1 --rw=write --bs=1m "
		 "--iodepth=%u --ioengine=io_uring --offset=%" PRIu64 " --size=%" PRIu64
		 " --end_fsync=1 --output-format=terse --terse-version=3 2>/dev/null",
		 opt.path, RAW_DEPTH, start, bytes);
	f = popen(command, "re");
	if (f) {
		/* Field 48 is the bandwidth of writes in KiB/s. */
		for (int field = 1, c; (c = getc(f)) != EOF;) {
			if (c == ';')
				field++;
			else if (field == 48 && strlen(line) < sizeof(line) - 1)
				line[strlen(line)] = (char)c;
		}
		pclose(f);
		mb = strtod(line, NULL) * 1024 / 1e6;
	}
	return mb;
}

/* ------------------------------------------------------------------ the engine */

static void open_rig(void)
{
	rig.conf.pool_buffers = opt.buffers;
	cacherig_open(&rig);
	cacherig_image(&rig, 0, backing_file);
	rig.image[0].is_null = true;
	cacherig_knob(&rig, KNOB_ALLOW_MIGRATE, 0);
}

struct writer {
	pthread_t thread;
	uint64_t writes, seed;
};

static void *write_randomly(void *arg)
{
	struct writer *w = arg;
	static _Thread_local _Alignas(4096) uint64_t data[512];

	if (random_fill(data, sizeof(data)))
		fail("random", -EIO);
	for (uint64_t n = 0; n < w->writes; n++) {
		uint64_t block;

		w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
		block = w->seed >> 40;
		data[n % 512] = w->seed;
		if (cacherig_write(&rig, 0, data, sizeof(data), block * 4096, false) < 0)
			fail("write", -EIO);
	}
	return NULL;
}

/* MB/s of log writing, the end's flush included. */
static double engine_stream(uint64_t bytes, double *cpu_us)
{
	struct writer w[64];
	uint64_t total = bytes / 4096 * 255 / 256, from;
	double cpu = cpu_seconds();

	from = clock_mono_ns();
	for (unsigned int t = 0; t < opt.threads; t++) {
		w[t] = (struct writer){ .writes = total / opt.threads, .seed = from + t };
		if (pthread_create(&w[t].thread, NULL, write_randomly, &w[t]))
			fail("thread", -EAGAIN);
	}
	for (unsigned int t = 0; t < opt.threads; t++)
		pthread_join(w[t].thread, NULL);
	if (cacherig_sync(&rig, -1))
		fail("sync", -EIO);
	*cpu_us = (cpu_seconds() - cpu) * 1e6 / (double)total;
	return (double)bytes / 1e6 / seconds_since(from);
}

static void *write_synced(void *arg)
{
	const struct writer *w = arg;
	static _Thread_local _Alignas(4096) char data[4096];

	for (uint64_t i = 0; i < w->writes; i++) {
		uint64_t block = w->seed * 1000000 + i * 2;

		memset(data, (int)i, sizeof(data));
		if (cacherig_write(&rig, 0, data, sizeof(data), block * 4096, true) < 0)
			fail("synced write", -EIO);
	}
	return NULL;
}

/* Microseconds a synced write, with so many threads that each write one after the other. */
static double engine_sync(unsigned int threads)
{
	struct writer w[SYNC_THREADS];
	uint64_t from = clock_mono_ns();

	for (unsigned int t = 0; t < threads; t++) {
		w[t] = (struct writer){ .writes = SYNC_OPS, .seed = t };
		if (pthread_create(&w[t].thread, NULL, write_synced, &w[t]))
			fail("thread", -EAGAIN);
	}
	for (unsigned int t = 0; t < threads; t++)
		pthread_join(w[t].thread, NULL);
	return seconds_since(from) * 1e6 / (SYNC_OPS * threads);
}

/* ------------------------------------------------------------------ comparisons */

static void compare_streams(uint64_t start)
{
	struct series raw = { 0 }, fio = { 0 }, engine = { 0 }, cpu = { 0 };
	double cpu_us;

	printf("stream: %" PRIu64 " MiB, %u threads of 4 KiB random writes, %u buffers\n",
	       opt.bytes >> 20, opt.threads, opt.buffers);
	for (unsigned int i = 0; i < opt.rounds * 3; i++) {
		/* Each of the three comes first, second and third in turn. */
		switch ((i + i / 3) % 3) {
		case 0:
			series_add(&raw, raw_stream(start, opt.bytes));
			break;
		case 1:
			if (opt.has_fio)
				series_add(&fio, fio_stream(start, opt.bytes));
			break;
		default:
			cacherig_format(&rig, 0, 11);
			open_rig();
			series_add(&engine, engine_stream(opt.bytes, &cpu_us));
			series_add(&cpu, cpu_us);
			cacherig_cut(&rig);
		}
	}
	print_samples("lcfs", engine, &cpu);
	print_samples("ref", opt.has_fio ? fio : raw, NULL);
	print_samples("raw", raw, NULL);
	print_series("device, 1 MiB sequential, depth 8", raw, "MB/s");
	if (opt.has_fio && median(fio) > 0)
		print_series("the same by fio", fio, "MB/s");
	print_series("log writing", engine, "MB/s");
	print_series("processor time a 4 KiB write", cpu, "us");
	printf("  ratio to the device: %.3f", median(engine) / median(raw));
	if (opt.has_fio && median(fio) > 0)
		printf(", to fio: %.3f", median(engine) / median(fio));
	printf("\n");
}

static void compare_syncs(uint64_t start)
{
	struct series raw = { 0 }, one = { 0 }, many = { 0 };

	printf("sync: 4 KiB written and synced\n");
	for (unsigned int i = 0; i < opt.rounds; i++) {
		series_add(&raw, raw_sync(start));
		cacherig_format(&rig, 0, 11);
		open_rig();
		series_add(&one, engine_sync(1));
		series_add(&many, engine_sync(SYNC_THREADS));
		cacherig_cut(&rig);
	}
	print_series("8 KiB write + fdatasync", raw, "us");
	print_series("synced write, 1 thread", one, "us");
	print_series("synced write, 16 threads, each", many, "us");
	printf("  ratio of one thread to the device: %.3f, of 16: %.3f\n",
	       median(one) / median(raw), median(many) / median(raw));
}

static void measure_recovery(uint64_t segments_bytes)
{
	uint64_t dirty = min(segments_bytes * 6 / 10, (uint64_t)4 << 30);
	double cpu_us, full;

	printf("recovery: %" PRIu64 " MiB of dirty segments\n", dirty >> 20);
	cacherig_format(&rig, 0, 11);
	open_rig();
	engine_stream(dirty, &cpu_us);
	cacherig_cut(&rig);
	open_rig();
	full = (double)rig.open_ns / 1e9 * (double)(4ull << 30) / (double)dirty;
	printf("  %.3f s, %" PRIu64 " records, %" PRIu64 " entries\n", (double)rig.open_ns / 1e9,
	       rig.report.records, rig.report.entries);
	printf("  ratio to 2 s for 4 GiB: %.3f\n", full / 2);
	cacherig_cut(&rig);
}

/* ------------------------------------------------------------------ command line */

static void usage(void)
{
	fprintf(stderr,
		"usage: bench_engine [-s SIZE] [-t THREADS] [-r ROUNDS] [-b BUFFERS] [-n] [-j] "
		"[-o spr] CACHE\n"
		"  Writes SIZE a round to the device or file CACHE, whose contents are lost.\n"
		"  -n: without fio; -j: a line for each sample of the streams, too;\n"
		"  -o: only streams (s), syncs (p), recovery (r)\n");
	exit(EXIT_FAILURE);
}

static unsigned int number(const char *text, unsigned int most)
{
	uint64_t v;

	if (parse_u64(text, 1, most, &v))
		usage();
	return (unsigned int)v;
}

static void parse_command_line(int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "s:t:r:b:njo:")) != -1;) {
		if (c == 's' && !parse_size(optarg, 64 * MIB, 1ull << 40, &opt.bytes))
			opt.bytes = align_up(opt.bytes, MIB);
		else if (c == 't')
			opt.threads = number(optarg, 64);
		else if (c == 'r')
			opt.rounds = number(optarg, ROUNDS_MAX);
		else if (c == 'b')
			opt.buffers = number(optarg, 4096);
		else if (c == 'n')
			opt.has_fio = false;
		else if (c == 'j')
			opt.has_samples = true;
		else if (c == 'o')
			opt.only = optarg;
		else
			usage();
	}
	if (optind != argc - 1)
		usage();
	opt.path = argv[optind];
}

int main(int argc, char **argv)
{
	char name[] = "bench_engine.XXXXXX";
	struct superblock sb;
	char text[300];
	uint64_t room;

	parse_command_line(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	backing_file = mkstemp(name);
	if (backing_file < 0 || unlink(name) || ftruncate(backing_file, 1ll << 36))
		fail("backing file", errno);
	cacherig_init(&rig, opt.path);
	cacherig_format(&rig, 0, 11);
	if (cache_superblock_read(cachedev_blkdev(rig.dev), &sb, text, sizeof(text)))
		fail(text, EIO);
	room = sb.nr_segments << 20;
	if (opt.bytes > room * 6 / 10)
		opt.bytes = align_down(room * 6 / 10, MIB);
	if (strchr(opt.only, 's'))
		compare_streams(sb.segments_start);
	if (strchr(opt.only, 'p'))
		compare_syncs(sb.segments_start);
	if (strchr(opt.only, 'r'))
		measure_recovery(room);
	cacherig_free(&rig);
	return EXIT_SUCCESS;
}
