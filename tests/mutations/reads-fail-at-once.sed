# SPDX-License-Identifier: GPL-2.0-or-later
# F4: a read of the cache device that has failed is not tried again.
#! tests/check_engine_again
#@ lcfs/image/engine_lane.c
/^static bool try_again\(/,/^}/s/\+\+s->tries == READ_TRIES/++s->tries > 0/
