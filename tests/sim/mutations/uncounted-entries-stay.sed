# SPDX-License-Identifier: GPL-2.0-or-later
# C2: what a daemon had begun to hand out when it died stays in the record.
#@ lcfs/cache/recovery_pool.c
s/^\tdrop_uncounted\(h\);//
