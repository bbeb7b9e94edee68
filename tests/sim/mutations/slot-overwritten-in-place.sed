# SPDX-License-Identifier: GPL-2.0-or-later
# D1: a block that is in RAM is overwritten where it stands.
#@ lcfs/cache/write.c
/^void cache_write_copy\(/,/^}/s/^\t\tmemcpy\(w->s\.dst, src, w->s\.bytes\);/\t\tuint32_t old = index_find(\&c->index, entry_key(w->image->id, w->s.block));\n\t\tstruct wbuf *buf;\n\t\tuint8_t *ram = old == CBN_NONE ? NULL : log_ram(c, old, \&buf);\n\n\t\tif (ram)\n\t\t\tmemcpy(ram, src, BLOCK_BYTES);\n&/
