# SPDX-License-Identifier: GPL-2.0-or-later
# G3: a cache with newer data of the directory is left out, and nobody says so.
#! tests/check_image_match tests/check_image_caches
#@ lcfs/image/admit.c
/^static int check_complete\(/,/^}/s/if \(!c->is_dirty \|\|/if (c->id || !c->is_dirty ||/
