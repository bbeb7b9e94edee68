# SPDX-License-Identifier: GPL-2.0-or-later
# H2: the cleaner goes round and round for nothing.
#@ lcfs/cache/cleaner.c
/^static bool is_wanted\(/,/^}/s/return n && !is_in_vain\(k, n\);/return n;/
