# SPDX-License-Identifier: GPL-2.0-or-later
# P15: mkfs.lcfs goes over a cache that was unmounted with dirty data.
#! tests/t-mkfs-refuses-dirty.sh
#@ lcfs/tools/mkfs_dirty.c
s/ret = r\.report\.dirty_blocks \|\| has_open_image\(r\.cache\);/ret = has_open_image(r.cache) < 0;/
