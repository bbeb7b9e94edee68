# SPDX-License-Identifier: GPL-2.0-or-later
# E7: at mount the file that has the name is taken for the image.
#! tests/check_image_match tests/check_image_names
#@ lcfs/image/match.c
/^static int match_image\(/,/^}/s/identity_compare\(&id, &info\.identity\) == IDENTITY_OTHER/false/
