# SPDX-License-Identifier: GPL-2.0-or-later
# D5: a read does not look whether the index has changed meanwhile.
#@ lcfs/cache/read.c
s/^\t\tagain = is_overtaken\(c, r\);/\t\tagain = is_overtaken(c, r) \&\& false;/
