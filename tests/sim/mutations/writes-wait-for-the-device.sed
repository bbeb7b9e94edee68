# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 1: each write waits until the device has it.
#@ lcfs/cache/write.c
/^static enum cache_step end_write\(/,/^}/s/if \(!w->sync \|\|/if (/
