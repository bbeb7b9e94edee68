# SPDX-License-Identifier: GPL-2.0-or-later
# F3: what a straight write covers stays dirty in the index, and goes over it later.
#@ lcfs/cache/straight.c
s/^\t\tif \(cbn != CBN_NONE\)$/\t\tif (cbn != CBN_NONE \&\& 0)/
