# SPDX-License-Identifier: GPL-2.0-or-later
# H2: a store that takes few requests at a time stops the thread that serves all images.
#! tests/t-store-few-requests.sh
#@ lcfs/image/image_fd.c
s/identity_on_fuse\(fd\) > 0/!fd/
