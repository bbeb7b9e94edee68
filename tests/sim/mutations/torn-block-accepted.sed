# SPDX-License-Identifier: GPL-2.0-or-later
# A1: block sums of records that are not known to be durable are not checked.
#@ lcfs/cache/logscan.c
s/h->dirty\[i\] && checksum_block\(block\) != le32_get\(h->sum\[i\]\)/false/
