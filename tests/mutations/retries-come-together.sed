# SPDX-License-Identifier: GPL-2.0-or-later
# F4: reads of the cache device that have failed are tried again side by side.
#! tests/check_engine_again
#@ lcfs/image/engine_lane.c
/^uint64_t engine_lane_again\(/,/^}/s/if \(lane->is_trying \&\& now != UINT64_MAX\)/if (false)/
