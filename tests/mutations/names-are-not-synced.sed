# SPDX-License-Identifier: GPL-2.0-or-later
# B6: a sync does not make the name of the file durable.
#! tests/t-store-errors.sh
#@ lcfs/image/image_sync.c
s/fsync\(fd\) < 0 \? -errno : sync_names\(img, fd, link_dir\)/fsync(fd) < 0 ? -errno : link_dir \&\& sync_names(img, fd, NULL) < -9999/
