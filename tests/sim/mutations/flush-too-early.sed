# SPDX-License-Identifier: GPL-2.0-or-later
# B4: the flush is submitted before the records it is to cover have been written.
#@ lcfs/cache/commit.c
s/c->log\.written_lsn >= m->target/true/
s/m->covers = c->log\.written_lsn;/m->covers = max(c->log.written_lsn, m->target);/
