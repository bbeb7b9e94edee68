# SPDX-License-Identifier: GPL-2.0-or-later
# E1: a truncate, punch or intent goes on before its record is durable.
#@ lcfs/cache/op.c
/^static void logged\(/,/^}/s/if \(commit_wait\(c, &op->s\.sync, now, ob\)\)/if (true)/
