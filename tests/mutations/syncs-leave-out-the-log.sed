# SPDX-License-Identifier: GPL-2.0-or-later
# P9: a sync of an image makes its file and name durable, and not what was written.
#! tests/t-mount-defaults.sh
#! tests/t-powercut-states.sh
#@ lcfs/image/image_io.c
/^static enum cache_step sync_core\(/,/^}/s/if \(!io->csync\.image\)/if (true)/
