# SPDX-License-Identifier: GPL-2.0-or-later
# G1: what was being changed at a death may have been changed by anybody since.
#! tests/check_image_identity tests/check_image_match
#@ lcfs/image/identity.c
s/\*is == \*was \|\| \(\*is > \*was && \*is <= f->lease_ns\)/*is >= *was/
