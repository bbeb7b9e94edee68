# SPDX-License-Identifier: GPL-2.0-or-later
# E6: the id of an image that is gone is free before the log has forgotten it.
#@ lcfs/cache/super.c
s/img->unbind_lsn < c->sb\.tail_lsn/img->unbind_lsn/
