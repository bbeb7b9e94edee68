# SPDX-License-Identifier: GPL-2.0-or-later
# P14: by default what is not synced stays in memory.
#! tests/t-mount-options.sh
#@ lcfs/cache/cache.c
s/\[KNOB_FLUSH_CURRENT_BUFFER_INTERVAL\] = \{ 1,/[KNOB_FLUSH_CURRENT_BUFFER_INTERVAL] = { 0,/
