# SPDX-License-Identifier: GPL-2.0-or-later
# H2: a batch that hangs is never set aside.
#@ lcfs/cache/migrate_aside.c
/^static bool is_waiting_for_files\(/,/^}/s/b->phase != MIGRATE_IDLE/false/
