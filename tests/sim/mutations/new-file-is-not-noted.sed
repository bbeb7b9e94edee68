# SPDX-License-Identifier: GPL-2.0-or-later
# E7: the log is not told that a file is new: what a power cut takes of such ones looks like taken away.
#@ lcfs/cache/imgtab.c
s/op->arg1 = img->is_new \? BIND_NEW : 0;//
