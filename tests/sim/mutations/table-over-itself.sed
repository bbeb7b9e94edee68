# SPDX-License-Identifier: GPL-2.0-or-later
# A6: the image table is written over the one that is in force.
#@ lcfs/cache/super.c
s/s->next\.table_current == 0 \? 1 : 0/s->next.table_current == 1 ? 1 : 0/
