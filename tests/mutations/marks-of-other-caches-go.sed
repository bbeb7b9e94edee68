# SPDX-License-Identifier: GPL-2.0-or-later
# G3: a mark of another cache is taken away though that may have data of the file.
#! tests/check_image_marks
#@ lcfs/image/image_state.c
/^static bool may_clear_mark\(/,/^}/s/image_judge_mark\(img, uuid\) == 1/true/
