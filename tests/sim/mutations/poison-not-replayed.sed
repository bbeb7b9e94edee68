# SPDX-License-Identifier: GPL-2.0-or-later
# F4: recovery does not know poisoned blocks.
#@ lcfs/cache/recovery.c
/^static int apply_poison\(/,/^}/s/if \(blocks_insert_poison\(/if (false \&\& blocks_insert_poison(/
