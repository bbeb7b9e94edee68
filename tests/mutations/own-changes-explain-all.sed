# SPDX-License-Identifier: GPL-2.0-or-later
# E7: a weak image that was to be removed is any file of its name that changed before the lease.
#! tests/check_image_weak
#@ lcfs/image/identity.c
/^bool identity_explains\(/,/^}/s/return is_touching \&\& .*/return is_touching;/
