# SPDX-License-Identifier: GPL-2.0-or-later
# P17: the length of a record in the log is believed.
#! tests/check_logscan_end
#@ lcfs/cache/logchain.c
s/record_blocks\(h\) > c->read\.segment_blocks - offset/false/
