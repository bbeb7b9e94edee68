# SPDX-License-Identifier: GPL-2.0-or-later
# A file is asked for its size before it is known whether that is the image's.
#! tests/check_image_io
#@ lcfs/image/image_open.c
/^int image_stat\(/,/^}/{
s/^	LOCK_SCOPE\(&img->lock\);/	int r = fstatat(fd, "", st, AT_EMPTY_PATH);\n&/
s/if \(fstatat\(fd, "", st, AT_EMPTY_PATH\) < 0\)/if (r < 0)/
}
