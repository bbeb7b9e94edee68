# SPDX-License-Identifier: GPL-2.0-or-later
# F4: a read does not look at the sum of what it has read.
#@ lcfs/cache/read.c
s/checksum_block\(b \+ \(uint64_t\)i \* BLOCK_BYTES\) != c->index\.sum\[p->cbn \+ i\]/false/
s/!p->nr_rotten && checksum_block\(src\) != c->index\.sum\[p->cbn\]/false/
