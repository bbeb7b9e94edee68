# SPDX-License-Identifier: GPL-2.0-or-later
# A5: where the log cannot be read, it ends.
#! tests/check_logscan_end
#@ lcfs/cache/logread.c
/^int logread_into\(/,/^}/s/^\tif \(ret\) \{$/\tif (ret) {\n\t\tmemset(buf, 0, (size_t)blocks << BLOCK_SHIFT);\n\t\tret = 0;/
1,/^#include/s/^#include/#include <string.h>\n#include/
