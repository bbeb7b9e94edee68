# SPDX-License-Identifier: GPL-2.0-or-later
# P2: pages of a file stay in the kernel while it is written past them.
#! tests/check_fuse_node
#@ lcfs/fuse/node.c
s/node->direct_opens \|\| is_direct\)/is_direct)/
