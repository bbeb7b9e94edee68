# SPDX-License-Identifier: GPL-2.0-or-later
# H3: a sync waits for the batch of migration that is under way.
#@ lcfs/cache/commit.c
/^void commit_kick\(/,/^}/s/if \(c->failed \|\| c->trouble\.until\)/if (c->failed || c->trouble.until || migrate_is_busy(c))/
