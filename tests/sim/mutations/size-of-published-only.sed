# SPDX-License-Identifier: GPL-2.0-or-later
# E8: the image table misses the size of writes that are not published yet.
#@ lcfs/cache/imgtab.c
s/e->size = img->logged_size;/e->size = img->size;/
