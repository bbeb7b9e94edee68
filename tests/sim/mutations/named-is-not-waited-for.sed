# SPDX-License-Identifier: GPL-2.0-or-later
# B6: a sync does not wait for the log to say that the name is durable.
#@ lcfs/cache/naming.c
s/img->last_lsn = log_op\(c, &op\);/log_op(c, \&op);/
