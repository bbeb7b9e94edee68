# SPDX-License-Identifier: GPL-2.0-or-later
# C2: a record of the RAM buffers is taken over wherever it says that it belongs.
#@ lcfs/cache/recovery_pool.c
s/if \(!is_successor\(r, d, h, offset\)\)/if (false)/
