# SPDX-License-Identifier: GPL-2.0-or-later
# F5: blocks that cannot be written directly go beside those that are.
#@ lcfs/cache/migrate_io.c
s/^\treturn to % it->img->align != 0;/\treturn false;/
