# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 5: what the cleaner has moved counts as written since a drain began.
#@ lcfs/cache/cleaner.c
/^static void publish\(/,/^}/s/op_drain_moved\(.*\);/;/
