# SPDX-License-Identifier: GPL-2.0-or-later
# A6: a new epoch is written to one copy of the super block only.
#@ lcfs/cache/recovery.c
s/i < SUPERBLOCK_COPIES && !ret/i < 1 \&\& !ret/
