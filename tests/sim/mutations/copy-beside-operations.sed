# SPDX-License-Identifier: GPL-2.0-or-later
# H2: an operation takes a block while the cleaner is copying it.
#@ lcfs/cache/range.c
/^bool range_take_first\(/,/^}/s/list_add_head/list_add_tail/
