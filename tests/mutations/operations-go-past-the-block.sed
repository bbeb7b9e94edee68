# SPDX-License-Identifier: GPL-2.0-or-later
# P17: the length of an operation in the log is believed.
#! tests/check_codec_op
#@ lcfs/ondisk/op_codec.c
s/ \|\| \*bytes > BLOCK_BYTES - pos\)/)/
