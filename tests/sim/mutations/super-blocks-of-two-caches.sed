# SPDX-License-Identifier: GPL-2.0-or-later
# A6: of the copies of the super block the newest wins, whatever cache it is of.
#@ lcfs/cache/superread.c
s/if \(!why\[0\] && !why\[1\] && /if (false \&\& /
