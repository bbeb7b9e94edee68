# SPDX-License-Identifier: GPL-2.0-or-later
# P1: a file that a virtual machine has open is written to.
#! tests/check_image_guard
#@ lcfs/image/guard.c
/^bool guard_is_foreign\(/,/^}/s/return true;/return false;/
