#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The same as t-powercut-states with two caches, and images that move between them, to none and back
# while they are written to, renamed and unlinked: a third of POWERCUT_STATES.
exec "${top_srcdir:?}/tests/powercut/powercut" -c 2 -t 4 -n "$((${POWERCUT_STATES:-150} / 3))"
