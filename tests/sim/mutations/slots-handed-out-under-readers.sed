# SPDX-License-Identifier: GPL-2.0-or-later
# D1: buffers and segments are taken while somebody reads them.
#@ lcfs/cache/seglog.c
s/if \(b->readers == 0\)/if (b->readers == 0 || true)/
s/ \|\| seg->readers\)/)/
