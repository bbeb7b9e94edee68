# SPDX-License-Identifier: GPL-2.0-or-later
# B6: a cache gets an image whose file is not synced.
#! tests/t-powercut-moves.sh
#@ lcfs/image/move.c
/^static int move_shut\(/,/^}/s/r = image_sync_backing\(m->img\);/r = 0;/
/^static int move\(/,/^}/s/if \(!from && image_is_sync_wanted\(img\) &&/if (!img \&\&/
