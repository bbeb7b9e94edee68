# SPDX-License-Identifier: GPL-2.0-or-later
# G4: a conflict that was found at one mount is none at the next.
#! tests/check_image_match
#@ lcfs/image/match.c
/^static void judge\(/,/^}/s/if \(info->state == IMAGE_CONFLICT\)/if (false)/
