/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On whose behalf a metadata thread makes new objects.
 *
 * A new object belongs to the caller (as the kernel's request names it) and gets the caller's
 * umask, or the default ACL of its directory instead: that is the backing filesystem's business, so
 * lcfs asks the kernel not to apply the umask (DONT_MASK) and sets it here. Whether the caller may
 * do it, the kernel has decided already (default_permissions), with the caller's groups, which lcfs
 * does not know: so only owner and group change, the daemon's capabilities stay.
 *
 * All of it is per thread; setresuid() and its like would change the whole process.
 */
#ifndef LCFS_FUSE_IDENT_H
#define LCFS_FUSE_IDENT_H

#include <sys/types.h>

#include "common/compiler.h"

/* Gives the calling thread a umask of its own. 0 or -errno. */
int ident_init_thread(void) must_check;

/*
 * Until ident_restore(), what the calling thread creates is uid's and gid's. Where the daemon may
 * not do that (it is not root), all is the daemon's own user's.
 */
void ident_assume(uid_t uid, gid_t gid, mode_t mask);
void ident_restore(void);

#endif
