# SPDX-License-Identifier: GPL-2.0-or-later
# E5: a cache that an image leaves is not told.
#! tests/t-powercut-moves.sh
#@ lcfs/image/move.c
/^static int take_out\(/,/^}/s/if \(r == 0 && image_is_bound\(img\)\)/if (r < -9999 \&\& image_is_bound(img))/
