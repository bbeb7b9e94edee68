# SPDX-License-Identifier: GPL-2.0-or-later
# E3: what an operation has cut stays in the index when its image stops before the effect.
#@ lcfs/cache/op_effect.c
/^void op_step_effect\(/,/^}/s/is_not_asked\(c, op\)/(op->image->is_hung \&\& !c->failed)/
/^void op_step_effect\(/,/^}/s/\} else if \(op->image->batch/} else if (imgtab_error(c, op->image)) { op_done(op, imgtab_error(c, op->image), ob); &/
