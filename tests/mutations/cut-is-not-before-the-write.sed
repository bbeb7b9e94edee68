# SPDX-License-Identifier: GPL-2.0-or-later
# B7: what was done to a file past the log is not synced before the log has data of it.
#! tests/t-powercut-cut-then-write.sh
#@ lcfs/image/image_sync.c
/^void image_sync_ahead\(/,/^}/s/if \(!img->is_ahead_of_log\)/if (true)/
