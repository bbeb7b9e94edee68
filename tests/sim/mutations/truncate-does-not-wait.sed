# SPDX-License-Identifier: GPL-2.0-or-later
# E1: an operation does not wait for backing writes that are under way.
#@ lcfs/cache/range.c
s/if \(migrate_overlaps\(img, r->first, r->last\)\)/if (false)/
#@ lcfs/cache/op_effect.c
s/\} else if \(op->image->batch \|\| /} else if (/
