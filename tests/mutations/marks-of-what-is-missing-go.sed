# SPDX-License-Identifier: GPL-2.0-or-later
# G3: a cache that misses a file says of each that it has nothing of it.
#! tests/check_image_marks
#@ lcfs/image/image_open.c
/^int image_judge_mark\(/,/^}/s/is_stale = is_all_found\(d, h\);/is_stale = true;/
