#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The simulation of the core on seeds that nobody has seen: the first is printed, and a failure
# names its own.
set -eu

exec "${top_builddir:?}/tests/sim/sim" --cycles "$((${SIM_CYCLES:-3000} / 5))"
