# SPDX-License-Identifier: GPL-2.0-or-later
# F2: a file that is not the same any more is written to all the same.
#@ lcfs/cache/migrate.c
/^static void image_done\(/,/^}/s/if \(result == BACK_CONFLICT \|\| result == BACK_MISSING\)/if (result == BACK_CONFLICT)\n\t\tresult = 0;\n\tif (result == BACK_MISSING)/
