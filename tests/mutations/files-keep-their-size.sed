# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 5: a drained file is not as long as its image.
#! tests/check_image_ops
#@ lcfs/image/image_backing.c
s/if \(\(uint64_t\)st\.st_size != a->off && ftruncate\(fd, \(off_t\)a->off\) < 0\)/if (false)/
