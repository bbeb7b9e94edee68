# SPDX-License-Identifier: GPL-2.0-or-later
# H2: an effect of an operation that hangs is waited for, with all that it holds.
#@ lcfs/cache/op_effect.c
s/is_late && !op->s\.is_hanging/false/
