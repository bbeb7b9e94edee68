# SPDX-License-Identifier: GPL-2.0-or-later
# A5: a durable record that is missing is taken for the end of the log.
#@ lcfs/cache/logproof.c
s/p->best\.durable_lsn <= end->lsn/true/
