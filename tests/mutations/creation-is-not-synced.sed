# SPDX-License-Identifier: GPL-2.0-or-later
# B6: the first sync of a file does not sync the file itself, nor its name.
#! tests/t-powercut-states.sh
#@ lcfs/image/image_sync.c
/^int image_sync_backing\(/,/^}/s/r = sync_file\(img, fd, link_dir\);/r = link_dir \&\& sync_file(img, fd, NULL) < -9999;/
