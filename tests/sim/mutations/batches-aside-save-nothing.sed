# SPDX-License-Identifier: GPL-2.0-or-later
# F3: an image of a lost cache is saved though a batch of it that is set aside is not.
#@ lcfs/cache/lost.c
/^void lost_end_look\(/,/^}/s/ \|\| img->batch \|\|/ ||/
