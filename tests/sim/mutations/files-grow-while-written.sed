# SPDX-License-Identifier: GPL-2.0-or-later
# F5: the writes of a batch make the file longer, each beside the others.
#@ lcfs/cache/migrate.c
s/^(\t\telse if \(!img->lost\.has_left && img->batch_end)\)$/\1 == UINT64_MAX)/
