# SPDX-License-Identifier: GPL-2.0-or-later
# E7: a weak image is at the new name of its last rename, though that may not have been made.
#! tests/check_image_weak
#@ lcfs/image/match_vague.c
/^int match_open_weak\(/,/^}/s/!cache_image_old_path\(c, img->cached, old\)/true || &/
