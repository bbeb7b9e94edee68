# SPDX-License-Identifier: GPL-2.0-or-later
# E7: the image table does not say which files are new.
#@ lcfs/cache/imgtab.c
s/\(img->is_new \? TABLE_NEW : 0\)/0/
