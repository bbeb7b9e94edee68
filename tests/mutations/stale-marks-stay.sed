# SPDX-License-Identifier: GPL-2.0-or-later
# G3: a mark that a daemon has left that died is not taken away when the file is opened.
#! tests/check_image_marks
#@ lcfs/image/image_open.c
/^static int look_at_mark\(/,/^}/s/if \(r > 0\)/if (false)/
