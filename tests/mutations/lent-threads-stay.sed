# SPDX-License-Identifier: GPL-2.0-or-later
# H2: a thread that is lent for its sync goes on with those of others.
#! tests/check_engine_lent
#@ lcfs/image/engine_log.c
s/!\(engine_lent\.done & 1u << a->type\)/true/
