# SPDX-License-Identifier: GPL-2.0-or-later
# P17: what stands in RAM buffers is believed.
#! tests/t-fuzz-corpus.sh
#@ lcfs/cache/recovery_pool.c
/^static bool header_is_sane\(/,/^}/s/^\treturn /\treturn offset < c->segment_blocks || /
