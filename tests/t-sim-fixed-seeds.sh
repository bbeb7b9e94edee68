#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The core survives 2000 crashes, power cuts and deaths in recovery, from fixed seeds. A failure
# prints its seed and how to repeat it. SIM_CYCLES asks for another number.
set -eu
exec "${top_builddir:-.}/tests/sim/sim" --seed 1 --cycles "${SIM_CYCLES:-2000}"
