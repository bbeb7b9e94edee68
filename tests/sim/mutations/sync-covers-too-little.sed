# SPDX-License-Identifier: GPL-2.0-or-later
# B4: a sync does not wait for the newest record of its image.
#@ lcfs/cache/commit.c
s/s->lsn = s->image \? s->image->last_lsn : /s->lsn = s->image ? s->image->last_lsn - 1 : /
