# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 5: a cache lets an image go that is not clean.
#! tests/t-powercut-moves.sh
#@ lcfs/image/move.c
/^static bool is_settled\(/,/^}/s/return !info\.is_bound \|\|/return info.id >= 0 || !info.is_bound ||/
/^static int drain\(/,/^}/s/r = m->from \? drain_once\(m\) : 0;/r = m->from \&\& m->is_noted < 0 ? drain_once(m) : 0;/
