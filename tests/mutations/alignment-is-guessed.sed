# SPDX-License-Identifier: GPL-2.0-or-later
# P11: backing files are written directly in sectors that their filesystem does not take.
#! tests/t-e2e-sectors.sh
#@ lcfs/image/image_fd.c
s/return sx\.stx_dio_offset_align \? max\(sx\.stx_dio_offset_align, SECTOR_BYTES\) : 0;/return SECTOR_BYTES;/
