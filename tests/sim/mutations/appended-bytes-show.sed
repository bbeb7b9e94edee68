# SPDX-License-Identifier: GPL-2.0-or-later
# G4: what somebody has appended to the file shows when the image grows over it.
#@ lcfs/cache/resolve.c
s/if \(op->stamp\.size > img->size\)/if (op->stamp.size > img->size \&\& !op->type)/
