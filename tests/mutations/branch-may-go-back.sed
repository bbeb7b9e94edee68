# SPDX-License-Identifier: GPL-2.0-or-later
# A2: a record of a lower branch than its predecessor counts.
#! tests/check_logscan
#@ lcfs/cache/logchain.c
s/ && branch >= pos->branch &&/ \&\&/
