#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The simulation of the core on the same seeds every time: SIM_CYCLES crashes and recoveries.
set -eu

exec "${top_builddir:?}/tests/sim/sim" --seed 1 --cycles "${SIM_CYCLES:-3000}"
