# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 9: names that a table or log records may lead out of the directory, by symlinks.
#! tests/check_common_beneath
#! tests/check_image_hostile
#@ common/beneath.c
s/\.resolve = RESOLVE_BENEATH \| RESOLVE_NO_SYMLINKS \| RESOLVE_NO_MAGICLINKS,/.resolve = 0,/
