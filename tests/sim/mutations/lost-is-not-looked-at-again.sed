# SPDX-License-Identifier: GPL-2.0-or-later
# P12: what cannot be read once is lost, whether or not it can be a moment later.
#@ lcfs/cache/lost.c
s/^#define LOOKS_MAX 2u/#define LOOKS_MAX 0u/
/^static void forget_bad/,/^}/ s/c->lost\.is_hung \|\|/1 ||/
