# SPDX-License-Identifier: GPL-2.0-or-later
# G1: where the log has no room for a touching mark, the file is changed without one.
#@ lcfs/cache/migrate_touch.c
s/img->is_touch_wanted = by_table = true;/img->is_touching = true;/
