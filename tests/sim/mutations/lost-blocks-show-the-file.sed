# SPDX-License-Identifier: GPL-2.0-or-later
# 4: of a lost block what stands in the backing file is shown.
#@ lcfs/cache/read.c
s/f->source = SOURCE_LOST;/f->source = SOURCE_BACKING;/
