# SPDX-License-Identifier: GPL-2.0-or-later
# C4: it is not looked whose the RAM buffers are.
#! tests/check_io_poolfile
#@ lcfs/io/poolfile.c
/^static int check_private\(/,/^}/{
s/if \(!S_ISREG/if (p->fd < -1 \&\& (!S_ISREG/
s/st->st_nlink != 1\)$/st->st_nlink != 1))/
}
