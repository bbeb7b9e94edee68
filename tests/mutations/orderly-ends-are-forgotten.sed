# SPDX-License-Identifier: GPL-2.0-or-later
# G3: a mark of a cache that is not there holds, though that one ended with nothing dirty.
#! tests/check_image_marks
#@ lcfs/image/image_open.c
/^int image_judge_mark\(/,/^}/s/return is_noted_clean\(d, uuid\) \? 1 : -ENOENT;/return -ENOENT;/
