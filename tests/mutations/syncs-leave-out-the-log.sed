# SPDX-License-Identifier: GPL-2.0-or-later
# P9: a sync of an image makes its names durable, and not what was written.
#! tests/t-powercut-states.sh
#@ lcfs/image/image_sync.c
s/r = corecall_sync\(image_host\(img\), ci\);/r = image_host(img) == NULL;/
