// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A filesystem of a few files that stand for disks: it records all that happens to them, and lets
 * them fail.
 *
 *	blockfile [-f] [-t TRACE] DIR MNT NAME[=SIZE]...
 *
 * shows at MNT each file NAME, up to 8, whose bytes are in DIR/NAME (made where there is none, and
 * cut or extended to SIZE, which may have K, M or G behind; without it, as it is), and besides
 *
 *	control		a line written is a command: see faults.h for what can go wrong. Reading
 *			it shows the rules, and how often each request and rule has been hit
 *	mark		what is written is put into the trace: that far it has come. Reading it
 *			gives the present position
 *
 * The size of a file is fixed. Direct I/O works, nothing goes through the page cache, and there can
 * be loop devices on the files (losetup --direct-io=on: then their flush is a sync here, their
 * discard a discard). All that was answered is in DIR, and never synced there: power cuts are made
 * up from the trace (trace_format.h). It goes into the background once it serves, unless there is
 * -f, and ends when it is unmounted. Several requests are carried out at a time, those of one file,
 * too.
 *
 * Example: the third flush of a cache fails once.
 *
 *	blockfile -t trace store mnt cache.img=64M
 *	mkfs.lcfs mnt/cache.img
 *	lcfs -o cache=mnt/cache.img dir images
 *	echo 'fail cache.img sync after=2 times=1' >mnt/control
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/parse.h"
#include "tests/stand/faults.h"
#include "tests/stand/tracewriter.h"

#define INO_CONTROL 2u
#define INO_MARK 3u
#define INO_FILES 10u
#define TEXT_BYTES 8192u

/* A request to one of the files. */
struct job {
	struct job *next; /* of those that hang */
	fuse_req_t req;
	enum fault_op op;
	unsigned int file;
	uint64_t off, bytes, start;
	const char *data; /* of a write */
	struct fault_fate fate;
};

static struct faults faults;
static struct tracewriter trace;
static int stores[TRACE_FILES];
static pthread_mutex_t hanging_lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *hanging; /* hanging_lock */

/* ------------------------------------------------------------------ carrying out */

static void take_time(uint64_t us)
{
	const struct timespec ts = { .tv_sec = (time_t)(us / 1000000),
				     .tv_nsec = (long)(us % 1000000 * 1000) };

	if (us)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* How much of the request is carried out. */
static uint64_t part_of(const struct job *j)
{
	uint64_t room = j->off < j->fate.bytes ? j->fate.bytes - j->off : 0;
	uint64_t bytes = min(j->bytes, room);

	if (j->fate.is_torn || j->fate.is_short)
		return align_down(bytes / 2, 512);
	return j->fate.error ? 0 : bytes;
}

static void carry_out_read(const struct job *j)
{
	uint64_t bytes = part_of(j);
	char *buf = aligned_alloc(4096, align_up(bytes + 1, 4096));
	ssize_t n = -1;

	if (buf && !j->fate.error)
		n = pread(stores[j->file], buf, bytes, (off_t)j->off);
	for (unsigned int i = 0; n > 0 && i < j->fate.nr_rotten; i++)
		if (j->fate.rotten[i] - j->off < (uint64_t)n)
			buf[j->fate.rotten[i] - j->off] ^= 1;
	if (n < 0)
		fuse_reply_err(j->req, j->fate.error ? j->fate.error : EIO);
	else
		fuse_reply_buf(j->req, buf, (size_t)n);
	free(buf);
}

/* The error that the request is answered. */
static int record(const struct job *j, enum trace_kind kind, uint64_t bytes, int error)
{
	struct trace_record r = {
		.kind = (uint8_t)kind,
		.file = (uint8_t)j->file,
		.error = (int16_t)error,
		.start = j->start,
		.offset = j->off,
		.bytes = bytes,
		.data_bytes = kind == TRACE_WRITE ? (uint32_t)bytes : 0,
	};

	return tracewriter_end(&trace, &r, j->data) < 0 ? EIO : error;
}

static void carry_out_write(const struct job *j)
{
	uint64_t bytes = part_of(j), kept = j->fate.is_lost ? 0 : bytes;
	int error = j->fate.error;

	if (!error && bytes == 0 && j->bytes)
		error = ENOSPC;
	if (kept && pwrite(stores[j->file], j->data, kept, (off_t)j->off) != (ssize_t)kept)
		error = EIO;
	error = record(j, TRACE_WRITE, kept, error);
	if (error)
		fuse_reply_err(j->req, error);
	else
		fuse_reply_write(j->req, bytes);
}

static void carry_out_discard(const struct job *j)
{
	uint64_t bytes = j->fate.is_lost ? 0 : part_of(j);
	int error = j->fate.error;

	if (bytes && fallocate(stores[j->file], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)j->off, (off_t)bytes) < 0)
		error = errno;
	fuse_reply_err(j->req, record(j, TRACE_DISCARD, bytes, error));
}

static void carry_out(const struct job *j)
{
	take_time(j->fate.us);
	if (j->op == FAULT_READ)
		carry_out_read(j);
	else if (j->op == FAULT_WRITE)
		carry_out_write(j);
	else if (j->op == FAULT_DISCARD)
		carry_out_discard(j);
	else
		fuse_reply_err(j->req, record(j, TRACE_SYNC, 0, j->fate.error));
}

/* Keeps a copy of it. */
static void hang(const struct job *j)
{
	struct job *copy = malloc(sizeof(*copy) + (j->data ? j->bytes : 0));

	if (!copy) {
		fuse_reply_err(j->req, ENOMEM);
		return;
	}
	*copy = *j;
	if (j->data) {
		memcpy(copy + 1, j->data, j->bytes);
		copy->data = (const char *)(copy + 1);
	}
	pthread_mutex_lock(&hanging_lock);
	copy->next = hanging;
	hanging = copy;
	pthread_mutex_unlock(&hanging_lock);
}

/* All that hangs, the oldest first. */
static void release(void)
{
	struct job *j, *next, *oldest = NULL;

	pthread_mutex_lock(&hanging_lock);
	j = hanging;
	hanging = NULL;
	pthread_mutex_unlock(&hanging_lock);
	for (; j; j = next) {
		next = j->next;
		j->next = oldest;
		oldest = j;
	}
	for (j = oldest; j; j = next) {
		next = j->next;
		carry_out(j);
		free(j);
	}
}

static void request(fuse_req_t req, fuse_ino_t ino, enum fault_op op, uint64_t off, uint64_t bytes,
		    const char *data)
{
	struct job j = { .req = req,
			 .op = op,
			 .file = (unsigned int)(ino - INO_FILES),
			 .off = off,
			 .bytes = bytes,
			 .start = tracewriter_start(&trace),
			 .data = data };

	faults_decide(&faults, j.file, op, off, bytes, &j.fate);
	if (j.fate.is_hanging)
		hang(&j);
	else
		carry_out(&j);
}

/* ------------------------------------------------------------------ control and mark */

static void command(fuse_req_t req, const char *data, size_t size)
{
	char text[TEXT_BYTES], *line, *rest = NULL;
	enum fault_wish wish;

	if (size >= sizeof(text)) {
		fuse_reply_err(req, E2BIG);
		return;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int err = faults_command(&faults, line, &wish);

		if (err) {
			fuse_reply_err(req, -err);
			return;
		}
		if (wish == FAULT_WISH_RELEASE)
			release();
	}
	fuse_reply_write(req, size);
}

static void mark(fuse_req_t req, const char *data, size_t size)
{
	struct trace_record r = {
		.kind = TRACE_MARK,
		.data_bytes = (uint32_t)size,
		.start = tracewriter_start(&trace),
	};

	if (tracewriter_end(&trace, &r, data) < 0)
		fuse_reply_err(req, EIO);
	else
		fuse_reply_write(req, size);
}

static unsigned int count_hanging(void)
{
	unsigned int n = 0;

	pthread_mutex_lock(&hanging_lock);
	for (const struct job *j = hanging; j; j = j->next)
		n++;
	pthread_mutex_unlock(&hanging_lock);
	return n;
}

static void reply_text(fuse_req_t req, fuse_ino_t ino, off_t off, size_t size)
{
	char text[TEXT_BYTES];
	size_t n;

	if (ino == INO_MARK) {
		n = (size_t)snprintf(text, sizeof(text), "%llu\n",
				     (unsigned long long)tracewriter_now(&trace));
	} else {
		n = faults_print(&faults, text, sizeof(text) - 64);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "hanging=%u\n", count_hanging());
	}
	if ((size_t)off >= n)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + off, min(size, n - (size_t)off));
}

/* ------------------------------------------------------------------ operations */

static bool is_file(fuse_ino_t ino)
{
	return ino >= INO_FILES && ino < INO_FILES + faults.nr_files;
}

static bool fill_stat(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_nlink = 1;
	st->st_blksize = 4096;
	if (ino == FUSE_ROOT_ID) {
		st->st_mode = S_IFDIR | 0755;
	} else if (ino == INO_CONTROL || ino == INO_MARK) {
		st->st_mode = S_IFREG | 0644;
	} else if (is_file(ino)) {
		st->st_mode = S_IFREG | 0644;
		st->st_size = (off_t)faults_file_bytes(&faults, (unsigned int)(ino - INO_FILES));
		st->st_blocks = st->st_size / 512;
	} else {
		return false;
	}
	return true;
}

static const char *name_of(fuse_ino_t ino)
{
	if (ino == INO_CONTROL)
		return "control";
	return ino == INO_MARK ? "mark" : faults.names[ino - INO_FILES];
}

/* After INO: the next one; 0: no more. */
static fuse_ino_t next_ino(fuse_ino_t ino)
{
	if (ino == 0)
		return INO_CONTROL;
	ino = ino == INO_MARK ? INO_FILES : ino + 1;
	return ino <= INO_MARK || is_file(ino) ? ino : 0;
}

static void op_init(void *ctx, struct fuse_conn_info *conn)
{
	(void)ctx;
	conn->max_background = 128;
	conn->congestion_threshold = 128;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { 0 };

	(void)parent;
	for (e.ino = next_ino(0); e.ino; e.ino = next_ino(e.ino)) {
		if (strcmp(name, name_of(e.ino)) == 0 && fill_stat(e.ino, &e.attr)) {
			fuse_reply_entry(req, &e);
			return;
		}
	}
	fuse_reply_err(req, ENOENT);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fill_stat(ino, &st))
		fuse_reply_attr(req, &st, 0);
	else
		fuse_reply_err(req, ENOENT);
}

/* Times and modes are taken and forgotten; a size must be what it is. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (!fill_stat(ino, &st))
		fuse_reply_err(req, ENOENT);
	else if ((to_set & FUSE_SET_ATTR_SIZE) && attr->st_size != st.st_size)
		fuse_reply_err(req, EPERM);
	else
		fuse_reply_attr(req, &st, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	(void)fi;
	if (is_file(ino))
		request(req, ino, FAULT_READ, (uint64_t)off, size, NULL);
	else
		reply_text(req, ino, off, size);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	(void)fi;
	if (is_file(ino))
		request(req, ino, FAULT_WRITE, (uint64_t)off, size, buf);
	else if (ino == INO_CONTROL)
		command(req, buf, size);
	else
		mark(req, buf, size);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	(void)fi;
	if (is_file(ino))
		request(req, ino, FAULT_SYNC, 0, 0, NULL);
	else
		fuse_reply_err(req, 0);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t bytes,
			 struct fuse_file_info *fi)
{
	(void)fi;
	if (!is_file(ino))
		fuse_reply_err(req, EOPNOTSUPP);
	else if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		request(req, ino, FAULT_DISCARD, (uint64_t)off, (uint64_t)bytes, NULL);
	else
		fuse_reply_err(req, mode & ~FALLOC_FL_KEEP_SIZE ? EOPNOTSUPP : 0);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	char buf[4096];
	size_t n = 0;

	(void)fi;
	(void)ino;
	for (fuse_ino_t at = next_ino((fuse_ino_t)off); at; at = next_ino(at)) {
		struct stat st;
		size_t more;

		fill_stat(at, &st);
		more = fuse_add_direntry(req, buf + n, min(sizeof(buf), size) - n, name_of(at), &st,
					 (off_t)at);
		if (more > min(sizeof(buf), size) - n)
			break;
		n += more;
	}
	fuse_reply_buf(req, buf, n);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
	.readdir = op_readdir,
};

/* ------------------------------------------------------------------ the program */

static noreturn_ void die(const char *what, const char *why)
{
	fprintf(stderr, "blockfile: %s: %s\n", what, why);
	exit(1);
}

/* NAME[=SIZE]; the text is taken apart. */
static void open_store(int dir, char *text, struct trace_head *head)
{
	unsigned int i = head->nr_files;
	char *size = strchr(text, '=');
	uint64_t bytes;
	struct stat st;

	if (size)
		*size++ = '\0';
	if (i == TRACE_FILES || !*text || strchr(text, '/') || strlen(text) >= TRACE_NAME)
		die(text, "too many files, or no name for one");
	stores[i] = openat(dir, text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (stores[i] < 0 || fstat(stores[i], &st) < 0)
		die(text, strerror(errno));
	bytes = (uint64_t)st.st_size;
	if (size && parse_size(size, 0, INT64_MAX, &bytes) < 0)
		die(size, "no size");
	if (ftruncate(stores[i], (off_t)bytes) < 0)
		die(text, strerror(errno));
	strcpy(head->file[i].name, text);
	head->file[i].bytes = bytes;
	head->nr_files++;
	faults_add_file(&faults, text, bytes);
}

static int serve(const char *mnt, bool is_foreground)
{
	char *argv[] = { (char[]){ "blockfile" }, (char[]){ "-o" },
			 (char[]){ "fsname=blockfile,subtype=blockfile,allow_other" } };
	struct fuse_args args = FUSE_ARGS_INIT((int)array_size(argv), argv);
	struct fuse_session *s = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	struct fuse_loop_config *conf = fuse_loop_cfg_create();
	int ret = 1;

	if (!s || !conf || fuse_session_mount(s, mnt) != 0)
		return 1;
	fuse_loop_cfg_set_max_threads(conf, 64);
	fuse_loop_cfg_set_idle_threads(conf, 64);
	if (fuse_daemonize(is_foreground) == 0 && fuse_set_signal_handlers(s) == 0) {
		ret = fuse_session_loop_mt(s, conf) < 0;
		fuse_remove_signal_handlers(s);
	}
	fuse_session_unmount(s);
	fuse_session_destroy(s);
	fuse_loop_cfg_destroy(conf);
	fuse_opt_free_args(&args);
	return ret;
}

int main(int argc, char **argv)
{
	const char *trace_path = NULL;
	struct trace_head head = { .magic = TRACE_MAGIC };
	bool is_foreground = false;
	int c, dir, err;

	while ((c = getopt(argc, argv, "ft:")) != -1) {
		if (c == 'f')
			is_foreground = true;
		else if (c == 't')
			trace_path = optarg;
		else
			return 2;
	}
	if (argc - optind < 3)
		die("usage", "blockfile [-f] [-t TRACE] DIR MNT NAME[=SIZE]...");
	dir = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die(argv[optind], strerror(errno));
	faults_init(&faults);
	for (int i = optind + 2; i < argc; i++)
		open_store(dir, argv[i], &head);
	err = tracewriter_open(&trace, trace_path, &head);
	if (err)
		die(trace_path, strerror(-err));
	return serve(argv[optind + 1], is_foreground);
}
