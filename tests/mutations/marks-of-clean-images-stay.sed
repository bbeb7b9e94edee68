# SPDX-License-Identifier: GPL-2.0-or-later
# G3: the mark of an image that was clean when a daemon died is not taken away.
#! tests/check_image_marks
#@ lcfs/image/match.c
/^static void find_old_mark\(/,/^}/s/is_marked = true/is_marked = false/
