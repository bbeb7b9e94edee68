/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations: what each does stands in the .c files; here is what they share. */
#ifndef LCFS_FUSE_OPS_H
#define LCFS_FUSE_OPS_H

#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "common/compiler.h"
#include "lcfs/fuse/session_impl.h"

/* The most bytes that one reply of a metadata thread carries. */
#define OPS_REPLY_MAX (64u << 10)

#define CTL_NAME ".lcctl"
/* Numbers of control files, as the kernel knows them, have this bit; nodes never do. */
#define CTL_INO (UINT64_C(1) << 62)

static inline struct session *ops_session(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline bool ops_is_ctl(fuse_ino_t ino)
{
	return ino & CTL_INO;
}

/* error is 0 or -errno. */
static inline void ops_reply(fuse_req_t req, int error)
{
	fuse_reply_err(req, -error);
}

/* A node in use: OPS_USE u = OPS_NO_USE; then ops_use(); let go of at the end of the scope. */
struct ops_use {
	struct nodes *nodes;
	struct node *node;
	int fd; /* O_PATH */
};

#define OPS_USE __attribute__((cleanup(ops_unuse))) struct ops_use
#define OPS_NO_USE       \
	{                \
		.fd = -1 \
	}

/*
 * -ESTALE: no such node any more. -EPERM: a control file, which takes part in no operation of the
 * kind.
 */
int ops_use(struct session *s, fuse_ino_t ino, struct ops_use *u) must_check;
void ops_unuse(struct ops_use *u);

/* The image of a regular file in use, else NULL. */
static inline struct image *ops_image(const struct ops_use *u)
{
	return atomic_load_explicit(&u->node->image, memory_order_acquire);
}

/* "/proc/self/fd/N": for calls that take no O_PATH descriptor. */
struct ops_path {
	char text[32];
};
struct ops_path ops_path(int fd);

/* Around a change of an inode that may be an image's. */
int ops_touching(const struct ops_use *u) must_check;
void ops_touched(const struct ops_use *u);

/* Attributes as lcfs shows them. */
int ops_stat(struct session *s, const struct ops_use *u, struct stat *st) must_check;
/* Lets the kernel forget the attributes of a file; and, from off on, its pages, off < 0: none. */
void ops_forget(struct session *s, const struct ops_use *u, int64_t off);
/*
 * Lets the kernel drop what it has cached of a file that was found changed behind lcfs. After the
 * reply.
 */
void ops_check_version(struct session *s, const struct ops_use *u);

/* Looks `name` up and fills e; the kernel's lookup count is raised. u, unused before, uses it. */
int ops_enter(struct session *s, const struct ops_use *parent, const char *name,
	      struct fuse_entry_param *e, struct ops_use *u) must_check;
/* The same for a file that has just been made: fd, taken over, is open on it, O_PATH or O_RDWR. */
int ops_enter_fd(struct session *s, const struct ops_use *parent, const char *name, int fd,
		 const struct stat *st, struct fuse_entry_param *e, struct ops_use *u) must_check;
/* Replies what ops_enter() said, and takes the count back where the reply does not arrive. */
void ops_reply_entry(fuse_req_t req, int error, const struct fuse_entry_param *e);
/* May an object of this name be made, removed or renamed there? 0; -EPERM: lcfs's own. */
int ops_name_allowed(struct session *s, const struct ops_use *parent, const char *name) must_check;
bool ops_is_hidden(struct session *s, const struct ops_use *parent, const char *name);
double ops_timeout(const struct session *s);

/*
 * Takes from the file what a write or truncate takes away: capabilities, and with kill_suid the
 * set-id bits.
 */
int priv_kill(const struct ops_use *u, bool kill_suid) must_check;
/* Looks what there is to take away, before the first write. */
void priv_look(const struct ops_use *u);

extern const struct fuse_lowlevel_ops ops_table;

/* Operations; see struct fuse_lowlevel_ops. */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
		struct fuse_file_info *fi);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	       const char *newname, unsigned int flags);

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
	      struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
		  struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
	      size_t out_size);

void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph);

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
/* Closes the directories that are still open. */
void dirs_close(struct session *s);

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* The same for control files, called by the operations above. */
int ctl_enter(struct session *s, fuse_ino_t parent, const char *name,
	      struct fuse_entry_param *e) must_check;
void ctl_getattr(fuse_req_t req, fuse_ino_t ino);
void ctl_setattr(fuse_req_t req, fuse_ino_t ino, int set);
void ctl_readlink(fuse_req_t req, fuse_ino_t ino);
void ctl_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ctl_release(fuse_req_t req, struct fuse_file_info *fi);
void ctl_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi);
void ctl_write(fuse_req_t req, const char *data, size_t size, struct fuse_file_info *fi);
void ctl_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool is_plus);
void ctl_poll(fuse_req_t req, struct fuse_file_info *fi);
/* From now on pollers of control files are woken through the session. */
void ctl_start(struct session *s);
/* Closes the control files that are still open; nobody is woken any more. */
void ctl_close(struct session *s);

#endif
