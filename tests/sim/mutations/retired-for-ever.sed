# SPDX-License-Identifier: GPL-2.0-or-later
# F1: what the store has refused once is not tried again.
#@ lcfs/cache/migrate.c
/^static void retry_in\(/,/^}/s/^\timg->retry_ns = .*$/\timg->retry_ns = UINT64_MAX;/
