# SPDX-License-Identifier: GPL-2.0-or-later
# A2, A3: a record with the right LSN counts, whatever its link and branch.
#@ lcfs/cache/logchain.c
s/ && le64_get\(h->link\) == pos->link && branch >= pos->branch &&$/ \&\&/
s/^\t       !logchain_is_abandoned\(c, branch, lsn\);/\t       (branch >= pos->branch || true);/
