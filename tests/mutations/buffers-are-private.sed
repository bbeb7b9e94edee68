# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 3: the RAM buffers die with the daemon.
#! tests/check_io_poolfile
#! tests/t-mount-defaults.sh
#@ lcfs/io/iobuf.c
s/: MAP_SHARED;/: MAP_PRIVATE;/
