# SPDX-License-Identifier: GPL-2.0-or-later
# E6: replay leaves out what is of an image that it does not know.
#@ lcfs/cache/recovery.c
/^static int apply_data\(/,/^}/s/^\tif \(!img\)$/\tif (!img)\n\t\treturn 0;\n\tif (!img)/
