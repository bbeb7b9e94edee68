# SPDX-License-Identifier: GPL-2.0-or-later
# A5: a header that this version does not understand is taken for nothing.
#@ lcfs/cache/logchain.c
s/^\tif \(format_is_refusal\(why\)\)$/\tif (false)/
