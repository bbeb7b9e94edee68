# SPDX-License-Identifier: GPL-2.0-or-later
# E7: what was removed is gone, though a power cut may have brought it back.
#! tests/check_image_weak
#@ lcfs/cache/naming.c
/^bool cache_image_has_gone\(/,/^}/s/ \&\& !c->was_cut//
