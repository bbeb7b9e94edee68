# SPDX-License-Identifier: GPL-2.0-or-later
# H2: a thread that is lent goes to work beside the log thread.
#! tests/check_engine_lent
#@ lcfs/image/engine_log.c
/^static bool take_turn\(/,/^}/s/if \(!mutex_trylock\(&log->turn\)\)/mutex_lock(\&log->turn);\n	if (false)/
