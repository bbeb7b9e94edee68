# SPDX-License-Identifier: GPL-2.0-or-later
# B1: the tail is written before what has made its entries dead is durable.
#@ lcfs/cache/super.c
s/s->sync\.lsn = s->head_lsn;/s->sync.lsn = 0;/
