# SPDX-License-Identifier: GPL-2.0-or-later
# A drain of what is dirty now does not wait for that.
#@ lcfs/cache/op_drain.c
/^static bool has_dirty\(/,/^}/s/return true;/return false;/
