# SPDX-License-Identifier: GPL-2.0-or-later
# P18: the cache device is told to be durable, and never asked.
#! tests/t-powercut-states.sh
#@ lcfs/image/engine_log.c
s/err = fdatasync\(e->conf\.log_fd\) < 0 \? -errno : 0;/err = e->conf.log_fd < 0;/
