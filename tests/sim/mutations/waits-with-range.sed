# SPDX-License-Identifier: GPL-2.0-or-later
# H1: a writer keeps its range while it waits for space.
#@ lcfs/cache/write.c
/^\tif \(reserve\(c, w, now, ob\) < 0\) \{$/,/^\t\}/s/^\t\tlet_go\(c, w, now, ob\);//
