# SPDX-License-Identifier: GPL-2.0-or-later
# C3: the RAM buffers of this boot are gone, and the mount goes on without a word.
#@ lcfs/cache/recovery_pool.c
/^int recovery_check_pool\(/,/^}/s/if \(pool_valid \|\|/if (true || pool_valid ||/
