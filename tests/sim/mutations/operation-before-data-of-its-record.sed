# SPDX-License-Identifier: GPL-2.0-or-later
# D2: an operation is put into a block of operations that data follows.
#@ lcfs/cache/seglog.c
/^struct record \*log_reserve\(/,/^}/s/^\trec->op_entry = 0;//
