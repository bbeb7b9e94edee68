# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 7: migration runs however busy the store is.
#@ lcfs/cache/cache.c
s/c->is_idle = \(busy_percent < 0 .*$/c->is_idle = busy_percent < 1000;/
