# SPDX-License-Identifier: GPL-2.0-or-later
# G1: a quiet file that was changed is gone on with.
#! tests/check_image_identity tests/check_image_match
#@ lcfs/image/identity.c
s/return f->is_dirty \? IDENTITY_CONFLICT : IDENTITY_REFRESH;/return f->is_dirty ? IDENTITY_UNCHANGED : IDENTITY_REFRESH;/
