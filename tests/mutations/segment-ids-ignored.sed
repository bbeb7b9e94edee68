# SPDX-License-Identifier: GPL-2.0-or-later
# A2: a header of another lap counts where its slot is looked at.
#! tests/check_logscan_end
#@ lcfs/cache/logchain.c
s/: le64_get\(h->segment_id\) == segment;/: 1;/
