# SPDX-License-Identifier: GPL-2.0-or-later
# B5: migration takes blocks of records that are written, not flushed.
#@ lcfs/cache/migrate_collect.c
s/seg->last_lsn ([<>]=?) c->log\.durable_lsn/seg->last_lsn \1 c->log.written_lsn/
#@ lcfs/cache/migrate_touch.c
s/b->sync\.lsn = lsn;/b->sync.lsn = 0;/
