# SPDX-License-Identifier: GPL-2.0-or-later
# F1: migration does not look at the sum of what it has read.
#@ lcfs/cache/migrate_io.c
s/else if \(checksum_block\(it->page\) != it->sum\)/else if (false)/
