# SPDX-License-Identifier: GPL-2.0-or-later
# P11: a write of a sector reads the rest of its block from the backing file.
#! tests/t-e2e-sectors.sh
#@ lcfs/cache/write.c
s/w->s\.backing_mask = torn & \(uint8_t\)~w->s\.base_mask;/w->s.backing_mask = (uint8_t)~w->s.mask;/
