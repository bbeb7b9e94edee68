# SPDX-License-Identifier: GPL-2.0-or-later
# C1: RAM buffers of another mount of the same cache are replayed.
#@ lcfs/cache/pool.c
/memcmp\(h->mount_id, sb->mount_id/s/memcmp\(h->mount_id, sb->mount_id, FORMAT_UUID_BYTES\) != 0/false/
