# SPDX-License-Identifier: GPL-2.0-or-later
# B4: a commit writes its records and does not flush the device.
#@ lcfs/cache/commit.c
s/^\toutbox_add\(ob, &m->flush\);/\tflushed(c, \&m->flush, 0, now, ob);/
