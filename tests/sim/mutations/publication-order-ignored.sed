# SPDX-License-Identifier: GPL-2.0-or-later
# D3, D4: two writers hold one block at a time, and the last publication wins.
#@ lcfs/cache/blocks.c
s/if \(old != CBN_NONE && log_position\(c, old\) > log_position\(c, cbn\)\)/if (false)/
#@ lcfs/cache/range.c
/^bool range_try\(/,/^}/s/if \(overlaps\(other, first, last\)\)/if (false)/
