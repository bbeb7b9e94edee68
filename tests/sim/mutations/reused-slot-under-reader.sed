# SPDX-License-Identifier: GPL-2.0-or-later
# D5: a segment is written again while somebody reads from it.
#@ lcfs/cache/seglog.c
/^static struct wbuf \*next_buffer\(/,/^}/s/ \|\| seg->readers//
