# SPDX-License-Identifier: GPL-2.0-or-later
# E7: the name of a weak image that was removed leads to it all the same.
#! tests/check_image_weak
#@ lcfs/image/match_vague.c
/^bool match_has_gone\(/,/^}/s/return identity_is_vague/return false \&\& identity_is_vague/
