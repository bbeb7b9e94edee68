# SPDX-License-Identifier: GPL-2.0-or-later
# E6: records behind its unbind name an image.
#@ lcfs/cache/imgtab.c
s/return img->is_unbound .* img->is_unbind_wanted;/return !img->id;/
