# SPDX-License-Identifier: GPL-2.0-or-later
# C5: the lock on the cache device is left out.
#! tests/check_io_cachedev tests/check_io_landing
#@ lcfs/io/cachedev.c
s/bool has_lock = !conf->is_shared;/bool has_lock = false \&\& !conf->is_shared;/
