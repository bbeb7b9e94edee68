# SPDX-License-Identifier: GPL-2.0-or-later
# A4: of several successors the one of the lowest branch is taken.
#@ lcfs/cache/logchain.c
s/le64_get\(h->branch\) > le64_get\(\(\*best\)->branch\)/le64_get(h->branch) < le64_get((*best)->branch)/
