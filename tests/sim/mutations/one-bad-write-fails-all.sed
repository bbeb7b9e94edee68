# SPDX-License-Identifier: GPL-2.0-or-later
# F1, H2: one write that fails has all of its image written again.
#@ lcfs/cache/migrate_io.c
/^static void write_done\(/,/^}/s/if \(result == -EAGAIN\)/if (result < 0)/
