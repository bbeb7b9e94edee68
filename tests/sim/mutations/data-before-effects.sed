# SPDX-License-Identifier: GPL-2.0-or-later
# E3: blocks migrate before the pending truncates and punches of their image.
#@ lcfs/cache/migrate_effects.c
/^bool migrate_start_effects\(/,/^}/s/^(\t+)(issue_effect\(.*\);)/\1if (!img->batch_items)\n\1\t\2/
