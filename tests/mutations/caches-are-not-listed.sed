# SPDX-License-Identifier: GPL-2.0-or-later
# G3: the directory does not say which cache has newer data of it.
#! tests/check_image_match tests/check_image_caches
#@ lcfs/image/privdir.c
/^int privdir_caches_set\(/,/^}/s/return caches_write\(p, &c\);/return c.nr == 0;/
