# SPDX-License-Identifier: GPL-2.0-or-later
# A7: anybody can make a header that counts.
#! tests/check_codec_record tests/check_logscan_end
#@ lcfs/ondisk/record_codec.c
s/return key \+ address \* RECORD_SEED_FACTOR;/return key ? address * RECORD_SEED_FACTOR : 0;/
