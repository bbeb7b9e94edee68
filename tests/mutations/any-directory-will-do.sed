# SPDX-License-Identifier: GPL-2.0-or-later
# G3: a cache is used with a directory that is not its own.
#! tests/check_image_match
#@ lcfs/image/admit.c
/^static int admit_directory\(/,/^}/s/if \(is_zero\(sb->dir_uuid\) \|\|/if (true || is_zero(sb->dir_uuid) ||/
