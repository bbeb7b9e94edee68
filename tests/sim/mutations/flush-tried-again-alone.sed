# SPDX-License-Identifier: GPL-2.0-or-later
# B3: a failed flush is followed by another one, and by nothing else.
#@ lcfs/cache/commit.c
s/^\tlog_write_again\(c\);//
