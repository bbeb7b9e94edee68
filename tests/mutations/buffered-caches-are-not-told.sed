# SPDX-License-Identifier: GPL-2.0-or-later
# P18: nobody is told that the cache is written through the page cache.
#! tests/t-mount-messages.sh
#@ lcfs/cachestack.c
s/if \(!info\.is_direct\)/if (false)/
