# SPDX-License-Identifier: GPL-2.0-or-later
# B4: what nobody syncs is never made durable.
#@ lcfs/cache/cache.c
s/return c->log\.undurable_ns \+ interval_ns\(c, KNOB_FLUSH_CURRENT_BUFFER_INTERVAL\);/return UINT64_MAX;/
