# SPDX-License-Identifier: GPL-2.0-or-later
# E7: of two files of which each may be a weak image, the one with the new name is taken.
#! tests/check_image_weak
#@ lcfs/image/match_vague.c
/^int match_open_weak\(/,/^}/s/return -EEXIST;/return steal_fd(\&fd);/
