# SPDX-License-Identifier: GPL-2.0-or-later
# B5: migration takes blocks of records that are not durable.
#@ lcfs/cache/migrate_collect.c
s/seg->state == SEGMENT_CLOSED && seg->last_lsn <= c->log\.durable_lsn;/seg->state == SEGMENT_CLOSED;/
s/^\t\t    seg->last_lsn > c->log\.durable_lsn\)/\t\t    seg->state == SEGMENT_FREE)/
#@ lcfs/cache/migrate_touch.c
s/m->sync\.lsn = lsn;/m->sync.lsn = 0;/
