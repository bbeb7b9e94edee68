# SPDX-License-Identifier: GPL-2.0-or-later
# D1: a record is encoded while a writer still copies into it.
#@ lcfs/cache/seglog.c
s/rec->state != RECORD_SEALED \|\| rec->writers\)/rec->state != RECORD_SEALED)/
