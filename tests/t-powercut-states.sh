#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts at two thirds of POWERCUT_STATES instants of a mount under load: what was synced is
# there, what is left is a prefix of what was written, filesystems on images are clean, and no image
# is in trouble.
exec "${top_srcdir:?}/tests/powercut/powercut" -n "$((${POWERCUT_STATES:-150} * 2 / 3))"
