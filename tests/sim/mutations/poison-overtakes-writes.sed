# SPDX-License-Identifier: GPL-2.0-or-later
# F4: a block is poisoned while a write to it has its entry.
#@ lcfs/cache/poison.c
/^static int replace\(/,/^}/s/ \|\| range_is_held\(.*\)\)/)/
