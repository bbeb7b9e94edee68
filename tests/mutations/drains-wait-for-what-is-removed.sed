# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 6: the drain of an image that is removed meanwhile goes on, and holds it.
#! tests/check_image_drain
#@ lcfs/image/image_ops.c
/^static int drain_named\(/,/^}/s/if \(!image_is_removed\(img\)\)/if (true)/
