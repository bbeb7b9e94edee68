# SPDX-License-Identifier: GPL-2.0-or-later
# P9: lcctl umount returns while the daemon still writes.
#! tests/t-lcctl-umount.sh
#@ lcfs/tools/lcctl_umount.c
s/^\t\tif \(\*device\[i\]\)$/\t\tif (false)/
