# SPDX-License-Identifier: GPL-2.0-or-later
# E5: a copy is not counted as something that happened to its image: what was migrated comes back after a clean.
#@ lcfs/cache/cleaner.c
/^static void publish\(/,/^}/s/it->img->last_lsn = max.*;/;/
