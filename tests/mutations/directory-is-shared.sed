# SPDX-License-Identifier: GPL-2.0-or-later
# P9: two daemons serve one directory.
#! tests/check_image_privdir tests/check_image_match
#@ lcfs/image/privdir.c
/^static int take_lock\(/,/^}/s/flock\(fd, LOCK_EX \| LOCK_NB\) < 0/false/
