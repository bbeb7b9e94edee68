# SPDX-License-Identifier: GPL-2.0-or-later
# H2: a stalled image gets as much of the log as it wants.
#@ lcfs/cache/shares.c
/^int shares_admit\(/,/^}/s/bool is_stalled = .*;/bool is_stalled = false;/
