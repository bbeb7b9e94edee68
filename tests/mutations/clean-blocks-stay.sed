# SPDX-License-Identifier: GPL-2.0-or-later
# P16: clean cached blocks are served though the file was changed since.
#! tests/check_image_identity tests/check_image_match
#@ lcfs/image/identity.c
s/return f->is_dirty \? IDENTITY_CONFLICT : IDENTITY_REFRESH;/return f->is_dirty ? IDENTITY_CONFLICT : IDENTITY_UNCHANGED;/
