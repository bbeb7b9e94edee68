# SPDX-License-Identifier: GPL-2.0-or-later
# C2: a slot counts from its reservation on.
#@ lcfs/cache/seglog.c
/^\t\trec->h->key\[\*entry \+ i\] =/i\		rec->h->dirty[*entry + i] = 0xff;
