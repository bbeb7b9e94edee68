# SPDX-License-Identifier: GPL-2.0-or-later
# A4: the successor of a record is looked for in the very next segment only.
#! tests/check_logscan_end
#@ lcfs/cache/logchain.c
s/min\(pos->segment \+ window_of\(sb\), /min(pos->segment + 1, /
