// SPDX-License-Identifier: GPL-2.0-or-later
/* How a backing file is known again, and how it is seen that somebody changed it. */
#include "lcfs/image/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/cleanup.h"
#include "lcfs/image/pathname.h"

/* Not in every system's <linux/magic.h>. */
#define MAGIC_XFS 0x58465342l
#define MAGIC_F2FS 0xf2f52010l
#define MAGIC_BCACHEFS 0xca451a4el
#define MAGIC_EXT 0xef53l
#define MAGIC_BTRFS 0x9123683el
#define MAGIC_FUSE 0x65735546l
#define MAGIC_CIFS 0xff534d42l
#define MAGIC_SMB2 0xfe534d42l
#define MAGIC_SMB 0x517bl
#define MAGIC_9P 0x01021997l
#define MAGIC_FAT 0x4d44l
#define MAGIC_EXFAT 0x2011bab0l
#define MAGIC_OVERLAY 0x794c7630l

/* FS_IOC_GETFSUUID of Linux 6.9 */
struct fs_uuid {
	uint8_t len;
	uint8_t uuid[16];
};
#define IOC_GETFSUUID _IOR(0x15, 0, struct fs_uuid)

static bool is_made_up(long type)
{
	static const long weak[] = { MAGIC_FUSE, MAGIC_CIFS, MAGIC_SMB2,  MAGIC_SMB,
				     MAGIC_9P,	 MAGIC_FAT,  MAGIC_EXFAT, MAGIC_OVERLAY };

	for (size_t i = 0; i < array_size(weak); i++)
		if (type == weak[i])
			return true;
	return false;
}

/* 16 bytes folded to 8, as ext4 makes its f_fsid, so that either way to it gives the same. */
static void fsid_of_uuid(int fd, uint8_t fsid[16])
{
	struct fs_uuid u;
	CLEANUP_FD int file = pathname_reopen(fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (file < 0 || ioctl(file, IOC_GETFSUUID, &u) < 0 || u.len != sizeof(u.uuid))
		return;
	for (int i = 0; i < 8; i++)
		fsid[i] = u.uuid[i] ^ u.uuid[i + 8];
}

/* Zero where the filesystem has none that lasts: then it is not compared. */
static void read_fsid(int fd, const struct statfs *sf, uint8_t fsid[16])
{
	long type = (long)sf->f_type;

	memset(fsid, 0, 16);
	if (type == MAGIC_EXT || type == MAGIC_BTRFS)
		memcpy(fsid, &sf->f_fsid, 8);
	else if (type == MAGIC_XFS || type == MAGIC_F2FS || type == MAGIC_BCACHEFS)
		fsid_of_uuid(fd, fsid);
}

static void read_handle(int fd, struct op_identity *id)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + OP_HANDLE_MAX];
	} u = { .h.handle_bytes = OP_HANDLE_MAX };
	int mount_id;

	if (name_to_handle_at(fd, "", &u.h, &mount_id, AT_EMPTY_PATH) < 0)
		return;
	if (u.h.handle_bytes == 0 || u.h.handle_bytes > OP_HANDLE_MAX)
		return;
	id->handle_type = (uint32_t)u.h.handle_type;
	id->handle_bytes = (uint16_t)u.h.handle_bytes;
	memcpy(id->handle, u.h.f_handle, u.h.handle_bytes);
	id->strength = IDENTITY_HANDLE;
}

static int64_t statx_ns(const struct statx_timestamp *t)
{
	return (int64_t)t->tv_sec * (int64_t)NSEC_PER_SEC + (int64_t)t->tv_nsec;
}

static int64_t timespec_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * (int64_t)NSEC_PER_SEC + (int64_t)t->tv_nsec;
}

int identity_read(int fd, struct op_identity *id)
{
	struct statx sx;
	struct statfs sf;

	memset(id, 0, sizeof(*id));
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &sx) < 0 || fstatfs(fd, &sf) < 0)
		return -errno;
	id->ino = sx.stx_ino;
	id->strength = IDENTITY_WEAK;
	if (is_made_up((long)sf.f_type))
		return 0;
	if (sx.stx_mask & STATX_BTIME)
		id->btime_ns = statx_ns(&sx.stx_btime);
	id->strength = IDENTITY_INODE;
	read_fsid(fd, &sf, id->fsid);
	read_handle(fd, id);
	return 0;
}

int identity_stamp(int fd, struct op_stamp *stamp)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		  STATX_SIZE | STATX_MTIME | STATX_CTIME, &sx) < 0)
		return -errno;
	stamp->size = sx.stx_size;
	stamp->mtime_ns = statx_ns(&sx.stx_mtime);
	stamp->ctime_ns = statx_ns(&sx.stx_ctime);
	return 0;
}

void identity_stamp_of(const struct stat *st, struct op_stamp *stamp)
{
	stamp->size = (uint64_t)st->st_size;
	stamp->mtime_ns = timespec_ns(&st->st_mtim);
	stamp->ctime_ns = timespec_ns(&st->st_ctim);
}

int identity_set_mtime(int fd, int64_t ns)
{
	const int64_t second = (int64_t)NSEC_PER_SEC;
	int64_t rest = (ns % second + second) % second;
	struct timespec ts[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = (ns - rest) / second, .tv_nsec = rest },
	};

	if (futimens(fd, ts) == 0)
		return 0;
	switch (errno) {
	case EPERM:
	case EACCES:
	case EOPNOTSUPP:
	case ENOSYS:
		return 0;
	default:
		return -errno;
	}
}

static bool is_known(const uint8_t fsid[16])
{
	static const uint8_t zero[16];

	return memcmp(fsid, zero, sizeof(zero)) != 0;
}

bool identity_is_vague(const struct op_identity *id)
{
	return id->strength == IDENTITY_WEAK || (!id->handle_bytes && !id->btime_ns);
}

bool identity_explains(const struct op_identity *id, bool is_touching, bool has_intent)
{
	return is_touching && !(has_intent && identity_is_vague(id));
}

int identity_on_fuse(int fd)
{
	struct statfs sf;

	if (fstatfs(fd, &sf) < 0)
		return -errno;
	return (long)sf.f_type == MAGIC_FUSE;
}

enum identity_match identity_compare(const struct op_identity *a, const struct op_identity *b)
{
	if (a->strength == IDENTITY_WEAK || b->strength == IDENTITY_WEAK)
		return IDENTITY_CANNOT_TELL;
	if (a->ino != b->ino)
		return IDENTITY_OTHER;
	if (is_known(a->fsid) && is_known(b->fsid) &&
	    memcmp(a->fsid, b->fsid, sizeof(a->fsid)) != 0)
		return IDENTITY_OTHER;
	if (a->btime_ns && b->btime_ns && a->btime_ns != b->btime_ns)
		return IDENTITY_OTHER;
	if (a->handle_bytes && b->handle_bytes &&
	    (a->handle_type != b->handle_type || a->handle_bytes != b->handle_bytes ||
	     memcmp(a->handle, b->handle, a->handle_bytes) != 0))
		return IDENTITY_OTHER;
	return IDENTITY_SAME;
}

const char *identity_stamp_differs(const struct op_stamp *a, const struct op_stamp *b, bool is_weak)
{
	if (a->size != b->size)
		return "size";
	if (a->mtime_ns != b->mtime_ns)
		return "modification time";
	if (!is_weak && a->ctime_ns != b->ctime_ns)
		return "change time";
	return NULL;
}

/*
 * lcfs was changing the file when it was stopped: what it had done by then is unknown, but it was
 * done between the recorded stamp and the lease. A weak file has no ctime; its mtime moves with our
 * writes in the same way.
 */
static enum identity_verdict judge_touching(const struct identity_facts *f, const char **what)
{
	const int64_t *was = f->is_weak ? &f->recorded.mtime_ns : &f->recorded.ctime_ns;
	const int64_t *is = f->is_weak ? &f->present.mtime_ns : &f->present.ctime_ns;

	*what = f->is_weak ? "modification time" : "change time";
	return *is == *was || (*is > *was && *is <= f->lease_ns) ? IDENTITY_UNCHANGED :
								   IDENTITY_CONFLICT;
}

enum identity_verdict identity_judge(const struct identity_facts *f, const char **what)
{
	if (f->is_dirty && f->is_touching)
		return judge_touching(f, what);
	*what = identity_stamp_differs(&f->recorded, &f->present, f->is_weak);
	if (!*what)
		return IDENTITY_UNCHANGED;
	return f->is_dirty ? IDENTITY_CONFLICT : IDENTITY_REFRESH;
}
