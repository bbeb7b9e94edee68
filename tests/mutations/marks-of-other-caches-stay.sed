# SPDX-License-Identifier: GPL-2.0-or-later
# G3: a mark that an image has brought from another cache is not taken away.
#! tests/check_image_marks
#@ lcfs/image/match.c
/^static void find_old_mark\(/,/^}/s/has_old_mark = true/has_old_mark = false/
