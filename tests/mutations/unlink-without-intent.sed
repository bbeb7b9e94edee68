# SPDX-License-Identifier: GPL-2.0-or-later
# E7: an image is unlinked before the log says that it is to go.
#! tests/check_image_names
#@ lcfs/image/names.c
/^static int log_intent\(/,/^}/s/return corecall_log\(.*\);/return op.image == 0;/
