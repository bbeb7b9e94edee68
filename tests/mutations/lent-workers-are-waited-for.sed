# SPDX-License-Identifier: GPL-2.0-or-later
# H2: the end of a mount waits for a thread that is lent to a device which hangs.
#! tests/t-mount-device-hangs.sh
#@ lcfs/fuse/session.c
s/all_away && imagedir_leave_lent\(s->conf\.images\)/false/
