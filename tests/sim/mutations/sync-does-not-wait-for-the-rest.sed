# SPDX-License-Identifier: GPL-2.0-or-later
# Without a log a sync does not wait for what is still to be saved.
#@ lcfs/cache/lost.c
s/^\tif \(!li->is_saved\)$/\tif (0)/
