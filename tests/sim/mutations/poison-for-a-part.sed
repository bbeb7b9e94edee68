# SPDX-License-Identifier: GPL-2.0-or-later
# F4: any write ends poison, and what it does not cover shows as zeros or old.
#@ lcfs/cache/write.c
s/if \(ix->mask\[cbn\] & \(uint8_t\)\(~covered \| torn\)\)/if (false)/
