// SPDX-License-Identifier: GPL-2.0-or-later
/* The caller's identity on metadata threads, by raw system calls. */
#include "lcfs/fuse/ident.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct {
	uid_t uid;
	gid_t gid;
	bool is_able;  /* root, with its capabilities known */
	bool is_other; /* between assume and restore */
	mode_t mask;
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
} self;

static int cap_call(long number, struct __user_cap_data_struct *caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(number, &head, caps);
}

int ident_init_thread(void)
{
	if (unshare(CLONE_FS) < 0)
		return -errno;
	umask(0);
	self.mask = 0;
	self.uid = geteuid();
	self.gid = getegid();
	self.is_able = self.uid == 0 && cap_call(SYS_capget, self.caps) == 0;
	return 0;
}

void ident_assume(uid_t uid, gid_t gid, mode_t mask)
{
	if (mask != self.mask) {
		umask(mask);
		self.mask = mask;
	}
	if (!self.is_able || (uid == self.uid && gid == self.gid))
		return;
	syscall(SYS_setfsgid, gid);
	syscall(SYS_setfsuid, uid);
	/*
	 * A change from root takes CAP_DAC_OVERRIDE and its like away, though only as effective
	 * ones.
	 */
	cap_call(SYS_capset, self.caps);
	self.is_other = true;
}

void ident_restore(void)
{
	if (!self.is_other)
		return;
	syscall(SYS_setfsuid, self.uid);
	syscall(SYS_setfsgid, self.gid);
	self.is_other = false;
}
