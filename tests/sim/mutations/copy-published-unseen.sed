# SPDX-License-Identifier: GPL-2.0-or-later
# H2: the cleaner publishes its copy though the block has changed since it was read.
#@ lcfs/cache/cleaner.c
/^static void publish\(/,/^}/s/if \(is_current\(c, it\) && .*\) \{/if (true) {/
