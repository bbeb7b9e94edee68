# SPDX-License-Identifier: GPL-2.0-or-later
# F2: before a batch it is not looked whether the file is still the same.
#! tests/check_image_match tests/t-store-behind.sh
#@ lcfs/image/image_backing.c
/^static int check_locked\(/,/^}/s/return check_file\(img\);/return img->is_weak \&\& check_file(img) > 0;/
