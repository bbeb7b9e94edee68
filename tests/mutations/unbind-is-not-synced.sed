# SPDX-License-Identifier: GPL-2.0-or-later
# E5: another cache binds an image before it is durable that the first one has let it go.
#! tests/t-powercut-moves.sh
#@ lcfs/image/move.c
/^static int unbind\(/,/^}/s/ && corecall_sync\(h, call\.op\.image\) < 0/ \&\& cache_is_lost(h->cache)/
