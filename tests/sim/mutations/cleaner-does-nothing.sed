# SPDX-License-Identifier: GPL-2.0-or-later
# H2: what is stalled stays at the tail.
#@ lcfs/cache/cleaner.c
/^static bool is_wanted\(/,/^}/s/return n && !is_in_vain\(k, n\);/return false;/
