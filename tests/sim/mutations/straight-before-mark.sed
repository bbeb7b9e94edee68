# SPDX-License-Identifier: GPL-2.0-or-later
# F3: a write goes straight to the file before that is marked as having left the log.
#@ lcfs/cache/straight.c
s/if \(img->is_bound && !img->lost\.is_open\)/if (0)/
