// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on open files but reads, writes and syncs of images (ops_io.c).
 *
 * An open asks the kernel either to bypass its page cache and to let writes of the file go side by
 * side, or to use the cache, and keep it from open to open unless the file was found changed behind
 * lcfs. See node_opened().
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcfs/fuse/ident.h"
#include "lcfs/fuse/meta.h"
#include "lcfs/fuse/ops.h"

static bool is_for_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* Opens what is in use, and says how in fi. */
static int file_open(struct session *s, struct ops_use *u, struct fuse_file_info *fi)
{
	struct image *img = ops_image(u);
	uint64_t version, old;
	int error;

	if (!img)
		return u->node->type == S_IFDIR ? -EISDIR : -ENXIO;
	error = image_open(img, is_for_write(fi->flags));
	if (nodes_make_room(u->nodes, error))
		error = image_open(img, is_for_write(fi->flags));
	if (error)
		return error;
	fi->fh = node_opened(u->nodes, u->node, is_for_write(fi->flags), fi->flags & O_DIRECT,
			     s->conf.writeback_cache);
	if (is_for_write(fi->flags))
		priv_look(u);
	version = image_version(img) + 1;
	fi->direct_io = (fi->fh & HANDLE_FILE_BYPASS) != 0;
	old = atomic_exchange(&u->node->version, version);
	fi->keep_cache = old == version;
	/* Changed behind lcfs: its size, too, is not what the kernel has cached, and whoever opens
	 * it is not to read by that. Of the pages it takes care itself. */
	if (old && old != version)
		ops_forget(s, u, -1);
	if (fi->direct_io)
		meta_add_open_flags(FOPEN_PARALLEL_DIRECT_WRITES);
	return 0;
}

static void file_release(struct session *s, struct node *node, uint64_t fh)
{
	struct image *img = atomic_load(&node->image);

	if (handle_kind(fh) == HANDLE_FILE && img && node_released(s->nodes, node, fh))
		image_release(img, fh & HANDLE_FILE_WRITE);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	int error;

	if (ops_is_ctl(ino)) {
		ctl_open(req, ino, fi);
		return;
	}
	error = ops_use(s, ino, &u);
	if (!error)
		error = file_open(s, &u, fi);
	if (error)
		ops_reply(req, error);
	else if (fuse_reply_open(req, fi) < 0)
		file_release(s, u.node, fi->fh);
}

/* Makes the file. Its descriptor; -EEXIST. */
static int make_file(fuse_req_t req, const struct ops_use *parent, const char *name, mode_t mode)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	int fd, error;

	ident_assume(caller->uid, caller->gid, caller->umask);
	fd = openat(parent->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    mode & 07777);
	error = errno;
	ident_restore();
	return fd < 0 ? -error : fd;
}

/*
 * The file of a CREATE; e's lookup is counted. What the kernel gets as an answer to CREATE it takes
 * for new, and does not ask whether the caller may open it. So a file that has appeared since the
 * kernel looked is not opened: ESTALE makes it look again.
 */
static int enter_for_create(fuse_req_t req, const struct ops_use *parent, const char *name,
			    mode_t mode, int flags, struct fuse_entry_param *e, struct ops_use *u)
{
	struct session *s = ops_session(req);
	struct stat st;
	int fd = make_file(req, parent, name, mode);

	if (nodes_make_room(s->nodes, fd))
		fd = make_file(req, parent, name, mode);
	if (fd == -EEXIST && !(flags & O_EXCL))
		return -ESTALE;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return ops_enter_fd(s, parent, name, fd, &st, e, u);
}

/* e has been entered: opens it. */
static int open_created(struct session *s, struct ops_use *u, struct fuse_file_info *fi)
{
	if (ops_image(u))
		image_created(ops_image(u));
	return file_open(s, u, fi);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct fuse_entry_param e;
	OPS_USE p = OPS_NO_USE;
	OPS_USE u = OPS_NO_USE;
	int error = ops_use(s, parent, &p);

	if (!error)
		error = ops_name_allowed(s, &p, name);
	if (!error)
		error = enter_for_create(req, &p, name, mode, fi->flags, &e, &u);
	if (error) {
		ops_reply(req, error);
		return;
	}
	error = open_created(s, &u, fi);
	if (error) {
		ops_reply(req, error);
		nodes_forget(s->nodes, e.ino, 1);
	} else if (fuse_reply_create(req, &e, fi) < 0) {
		file_release(s, u.node, fi->fh);
		nodes_forget(s->nodes, e.ino, 1);
	}
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;

	if (handle_kind(fi->fh) == HANDLE_CTL) {
		ctl_release(req, fi);
		return;
	}
	if (ops_use(s, ino, &u) == 0)
		file_release(s, u.node, fi->fh);
	ops_reply(req, 0);
}

/* Of control files: those of images never come here. */
void op_read(fuse_req_t req, fuse_ino_t ino unused_, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	if (handle_kind(fi->fh) == HANDLE_CTL)
		ctl_read(req, size, off, fi);
	else
		ops_reply(req, -EBADF);
}

void op_write(fuse_req_t req, fuse_ino_t ino unused_, const char *data, size_t size,
	      off_t off unused_, struct fuse_file_info *fi)
{
	if (handle_kind(fi->fh) == HANDLE_CTL)
		ctl_write(req, data, size, fi);
	else
		ops_reply(req, -EBADF);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino unused_, int datasync unused_,
	      struct fuse_file_info *fi)
{
	ops_reply(req, handle_kind(fi->fh) == HANDLE_CTL ? 0 : -EBADF);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
		  struct fuse_file_info *fi unused_)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	int error = ops_use(s, ino, &u);

	if (!error && !ops_image(&u))
		error = -ENODEV;
	if (!error)
		error = priv_kill(&u, fuse_req_ctx(req)->uid != 0);
	if (!error)
		error = image_fallocate(ops_image(&u), mode, (uint64_t)off, (uint64_t)len);
	ops_reply(req, error);
}

/*
 * What was written by way of a map may still be in the page cache alone, where a hole is to be
 * found: the kernel does not look there before it asks for holes. To drop the cache makes it write
 * first.
 */
static void write_out(struct session *s, const struct ops_use *u)
{
	if (node_may_be_dirty(s->nodes, u->node))
		ops_forget(s, u, 0);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi unused_)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	uint64_t result;
	int error = ops_use(s, ino, &u);

	if (!error && !ops_image(&u))
		error = -EINVAL;
	if (!error)
		write_out(s, &u);
	if (!error)
		error = image_seek(ops_image(&u), (uint64_t)off, whence, &result);
	if (error)
		ops_reply(req, error);
	else
		fuse_reply_lseek(req, (off_t)result);
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino unused_, unsigned int cmd unused_, void *arg unused_,
	      struct fuse_file_info *fi unused_, unsigned int flags unused_, const void *in unused_,
	      size_t in_size unused_, size_t out_size unused_)
{
	ops_reply(req, -ENOTTY);
}

/* An image is always ready. */
void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	if (ph)
		fuse_pollhandle_destroy(ph);
	if (ops_is_ctl(ino))
		ctl_poll(req, fi);
	else
		fuse_reply_poll(req, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
}
