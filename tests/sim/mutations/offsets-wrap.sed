# SPDX-License-Identifier: GPL-2.0-or-later
# D6: what lies beyond the largest offset is not refused.
#@ lcfs/cache/write.c
s/w->off > IMAGE_BYTES_MAX \|\| w->len > IMAGE_BYTES_MAX - w->off/false/
