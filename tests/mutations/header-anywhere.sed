# SPDX-License-Identifier: GPL-2.0-or-later
# A7: the sum of a header does not depend on where it stands.
#! tests/check_codec_record
#@ lcfs/ondisk/record_codec.c
s/return key \+ address \* RECORD_SEED_FACTOR;/return address ? key : 0;/
