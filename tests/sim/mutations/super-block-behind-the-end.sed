# SPDX-License-Identifier: GPL-2.0-or-later
# The end: a super block is begun behind that of the orderly end.
#@ lcfs/cache/super.c
/^static void kick\(/,/^}/s/\(s->is_wanted && !is_last\(c\)\)/s->is_wanted/
