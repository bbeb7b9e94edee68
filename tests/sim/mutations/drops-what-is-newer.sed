# SPDX-License-Identifier: GPL-2.0-or-later
# E1: a truncate or punch drops what was written behind it, too.
#@ lcfs/cache/blocks.c
/^static void drop_one\(/,/^}/s/log_position\(c, cbn\) >= before/false \&\& before/
/^void blocks_drop_sectors\(/,/^}/s/ \|\| log_position\(c, cbn\) >= before/ || (false \&\& before)/
