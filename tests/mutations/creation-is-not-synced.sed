# SPDX-License-Identifier: GPL-2.0-or-later
# B6: the first sync after a creation leaves the file itself out.
#! tests/check_image_links
#@ lcfs/image/image_sync.c
/^int image_sync\(/,/^}/s/int r = image_is_sync_wanted\(img\) \? /int r = img == NULL ? /
