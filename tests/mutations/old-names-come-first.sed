# SPDX-License-Identifier: GPL-2.0-or-later
# E7: what has the old name of a weak image is it, whatever it looks like.
#! tests/check_image_weak
#@ lcfs/image/match_vague.c
/^int match_open_weak\(/,/^}/s/if \(fd >= 0 && \(cache_has_path/if (false \&\& (cache_has_path/
