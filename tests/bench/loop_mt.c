// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a FUSE filesystem of one file is like on libfuse's own multithreaded loop, to be held
 * against lcfs. It is mounted over the regular file MNT.
 *
 *	loop_mt -n SIZE MNT	null: reads and writes are one copy in memory, syncs are nothing
 *	loop_mt -p FILE MNT	passthrough to FILE; direct if its user has opened it so
 *	loop_mt -d FILE MNT	the same as a disk with an arm: one request at a time, and those
 *				that are far from the last one take longer
 *	... -r SIZE ...		no more bytes a second than that
 *
 * The disk turns 10,000 times a minute and moves its arm from end to end in 8 ms, the more slowly
 * the shorter the way: about 120 random requests a second, or 300 neighbouring ones, or 150 MB/s.
 * Which bytes are where is what FILE's offsets say; what FILE itself costs comes on top.
 *
 * It stays in the foreground, and ends when it is unmounted.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/nsec.h"
#include "common/parse.h"

#define REQUEST_MAX (1u << 20)
#define HALF_TURN_NS 3000000.0
#define ARM_NS 8000000.0
#define BYTES_PER_SECOND 150e6

enum kind {
	KIND_NULL,
	KIND_PASSTHROUGH,
	KIND_DISK
};

static struct {
	enum kind kind;
	const char *path; /* of what is behind */
	int fd;
	uint64_t bytes;
	uint64_t arm;		  /* where the last request ended; one thread */
	uint64_t rate;		  /* bytes a second; 0: as it comes */
	_Atomic uint64_t next_ns; /* at rate, all that was taken so far is done then */
} file;

/* Of each thread: payloads of libfuse's requests are not aligned as direct I/O wants them. */
static _Thread_local char *area;

static bool has_area(void)
{
	if (!area) {
		area = aligned_alloc(4096, REQUEST_MAX);
		if (area)
			memset(area, 0, REQUEST_MAX);
	}
	return area;
}

/* ------------------------------------------------------------------ the disk with an arm */

static void take_time(double ns)
{
	const struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC),
				     .tv_nsec = (long)ns % (long)NSEC_PER_SEC };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* A disk does these one after the other: it is served by one thread. */
static void move_arm(uint64_t off, uint64_t bytes)
{
	double way, ns = (double)bytes / BYTES_PER_SECOND * NSEC_PER_SEC;

	if (file.kind != KIND_DISK)
		return;
	if (off != file.arm) {
		way = fabs((double)off - (double)file.arm) / (double)file.bytes;
		ns += HALF_TURN_NS + ARM_NS * sqrt(way);
	}
	file.arm = off + bytes;
	take_time(ns);
}

/* ------------------------------------------------------------------ so many bytes a second */

static void wait_for_rate(uint64_t bytes)
{
	uint64_t now = clock_mono_ns(), next = atomic_load(&file.next_ns), end;
	struct timespec ts;

	if (!file.rate)
		return;
	do {
		end = max(next, now) + bytes * NSEC_PER_SEC / file.rate;
	} while (!atomic_compare_exchange_weak(&file.next_ns, &next, end));
	ts.tv_sec = (time_t)(end / NSEC_PER_SEC);
	ts.tv_nsec = (long)(end % NSEC_PER_SEC);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* ------------------------------------------------------------------ operations */

static int look(struct stat *st)
{
	if (file.kind != KIND_NULL) {
		if (fstat(file.fd, st) < 0)
			return -errno;
		/* Of a block device, too, a file is shown. */
		st->st_mode = S_IFREG | 0600;
		st->st_size = (off_t)file.bytes;
		return 0;
	}
	*st = (struct stat){ .st_mode = S_IFREG | 0600,
			     .st_nlink = 1,
			     .st_size = (off_t)file.bytes,
			     .st_blksize = 4096,
			     .st_blocks = (blkcnt_t)(file.bytes / 512) };
	return 0;
}

static void op_init(void *ctx, struct fuse_conn_info *conn)
{
	(void)ctx;
	conn->max_background = 128;
	conn->congestion_threshold = 128;
	conn->max_write = REQUEST_MAX;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int error = look(&st);

	(void)fi;
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	st.st_ino = ino;
	fuse_reply_attr(req, &st, 1.0);
}

/* Its size stays what it is; all else is taken and forgotten. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	if ((to_set & FUSE_SET_ATTR_SIZE) && (uint64_t)attr->st_size != file.bytes)
		fuse_reply_err(req, EPERM);
	else
		op_getattr(req, ino, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = -1;

	(void)ino;
	if (file.kind != KIND_NULL) {
		/* O_RDWR: the kernel reads where a page is written in part. */
		fd = open(file.path, O_RDWR | O_CLOEXEC | (fi->flags & O_DIRECT));
		if (fd < 0) {
			fuse_reply_err(req, errno);
			return;
		}
	}
	fi->fh = (uint64_t)(int64_t)fd;
	fi->direct_io = (fi->flags & O_DIRECT) != 0;
	fi->keep_cache = !fi->direct_io;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 15)
	fi->parallel_direct_writes = fi->direct_io;
#endif
	if (fuse_reply_open(req, fi) && fd >= 0)
		close(fd);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	if (file.kind != KIND_NULL)
		close((int)fi->fh);
	fuse_reply_err(req, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	ssize_t n = (ssize_t)size;
	int error;

	(void)ino;
	if (size > REQUEST_MAX || !has_area()) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	move_arm((uint64_t)off, size);
	if (file.kind != KIND_NULL)
		n = pread((int)fi->fh, area, size, off);
	error = errno;
	wait_for_rate(size);
	if (n < 0)
		fuse_reply_err(req, error);
	else
		fuse_reply_buf(req, area, (size_t)n);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	ssize_t n = (ssize_t)size;
	int error;

	(void)ino;
	if (size > REQUEST_MAX || !has_area()) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	memcpy(area, buf, size);
	/* As if somebody might look at it: so that the copy is not left out. */
	atomic_signal_fence(memory_order_seq_cst);
	move_arm((uint64_t)off, size);
	if (file.kind != KIND_NULL)
		n = pwrite((int)fi->fh, area, size, off);
	error = errno;
	wait_for_rate(size);
	if (n < 0)
		fuse_reply_err(req, error);
	else
		fuse_reply_write(req, (size_t)n);
}

/* The disk writes an inode or a journal where it begins. */
static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	int error = 0;

	(void)ino;
	if (file.kind == KIND_DISK)
		move_arm(0, 4096);
	else if (file.kind == KIND_PASSTHROUGH)
		error = datasync ? fdatasync((int)fi->fh) : fsync((int)fi->fh);
	fuse_reply_err(req, error ? errno : 0);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
};

/* ------------------------------------------------------------------ the program */

static noreturn_ void die(const char *what, const char *why)
{
	fprintf(stderr, "loop_mt: %s: %s\n", what, why);
	exit(1);
}

static noreturn_ void usage(void)
{
	die("usage", "loop_mt [-r SIZE] -n SIZE|-p FILE|-d FILE MNT");
}

static void open_file(void)
{
	off_t end = -1;

	file.fd = open(file.path, O_RDWR | O_CLOEXEC);
	if (file.fd >= 0)
		end = lseek(file.fd, 0, SEEK_END);
	if (end < 0)
		die(file.path, strerror(errno));
	file.bytes = (uint64_t)end;
}

static void parse_command_line(int argc, char **argv)
{
	bool has_size = false;
	int c;

	while ((c = getopt(argc, argv, "n:p:d:r:")) != -1) {
		if (c == 'n')
			has_size = !parse_size(optarg, 4096, INT64_MAX, &file.bytes);
		else if (c == 'r' && !parse_size(optarg, 4096, 1ull << 34, &file.rate))
			continue;
		else if (c == 'p' || c == 'd')
			file.path = optarg;
		else
			usage();
		file.kind = c == 'n' ? KIND_NULL : c == 'p' ? KIND_PASSTHROUGH : KIND_DISK;
	}
	if (optind != argc - 1 || has_size == (file.path != NULL))
		usage();
	if (file.path)
		open_file();
}

static int serve(struct fuse_session *s)
{
	struct fuse_loop_config *conf;
	int ret;

	if (file.kind == KIND_DISK)
		return fuse_session_loop(s);
	conf = fuse_loop_cfg_create();
	if (!conf)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(conf, 1);
	fuse_loop_cfg_set_idle_threads(conf, 10);
	ret = fuse_session_loop_mt(s, conf);
	fuse_loop_cfg_destroy(conf);
	return ret;
}

int main(int argc, char **argv)
{
	char *words[] = { (char[]){ "loop_mt" }, (char[]){ "-o" },
			  (char[]){ "fsname=loop_mt,subtype=loop_mt,allow_other" } };
	struct fuse_args args = FUSE_ARGS_INIT((int)array_size(words), words);
	struct fuse_session *s;
	int ret;

	parse_command_line(argc, argv);
	s = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!s || fuse_set_signal_handlers(s) || fuse_session_mount(s, argv[optind]))
		die(argv[optind], "cannot be mounted");
	ret = serve(s);
	fuse_session_unmount(s);
	fuse_remove_signal_handlers(s);
	fuse_session_destroy(s);
	fuse_opt_free_args(&args);
	return ret < 0;
}
