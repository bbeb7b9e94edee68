# SPDX-License-Identifier: GPL-2.0-or-later
# A5: behind the end it is looked for proof in W segments, not in W + 1.
#! tests/check_logscan_end
#@ lcfs/cache/logproof.c
s/end->segment \+ c->window \+ 1/end->segment + c->window/
