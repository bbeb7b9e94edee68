# SPDX-License-Identifier: GPL-2.0-or-later
# C2: the RAM buffers are made anew before the super block with the new epoch is written.
#@ lcfs/cache/recovery.c
s/^\tpool_announce\(c, pool_valid, present\);/&\n\tpool_format(c);/
