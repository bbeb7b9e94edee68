# SPDX-License-Identifier: GPL-2.0-or-later
# B2: recovery counts as durable what it could read.
#@ lcfs/cache/recovery.c
s/int ret = blkdev_flush\(r->dev\);/int ret = 0;/
