# SPDX-License-Identifier: GPL-2.0-or-later
# E7: of two weak images that had a name, the older one has it still.
#! tests/check_image_weak
#@ lcfs/image/match_vague.c
/^bool match_has_heir\(/,/^}/s/if \(!heir\)/if (true)/
