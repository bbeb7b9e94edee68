# SPDX-License-Identifier: GPL-2.0-or-later
# C1: RAM buffers of another boot are taken for ours.
#@ lcfs/cache/pool.c
s/memcmp\(h->boot_id, boot_id, FORMAT_UUID_BYTES\) == 0/boot_id/
