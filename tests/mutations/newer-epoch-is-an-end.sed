# SPDX-License-Identifier: GPL-2.0-or-later
# A5: a record of a newer epoch than the super block knows is taken for none.
#! tests/check_logscan_end
#@ lcfs/cache/logchain.c
s/branch >> EPOCH_SHIFT > sb->epoch/false/
