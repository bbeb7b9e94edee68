# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 7: what migrates is written in the order of the log.
#@ lcfs/cache/migrate_collect.c
s/^\tqsort\(b->item, .*$//
