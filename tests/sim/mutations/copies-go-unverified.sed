# SPDX-License-Identifier: GPL-2.0-or-later
# F4: the cleaner copies a block without looking at its checksum.
#@ lcfs/cache/cleaner.c
/^static void verify\(/,/^}/s/checksum_block\(it->page\) != it->sum/false/
