/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lcfs/ctl/ctlfs.h without a cache: a few files to read and write. Linked in place of libctl.la. */
#ifndef TESTS_FAKE_CTL_FAKE_H
#define TESTS_FAKE_CTL_FAKE_H

#include "lcfs/ctl/ctlfs.h"

/*
 * .lcctl/version (0444), .lcctl/caches/1/knob (0644: a number 0..100), .lcctl/caches/1/device (a
 * link), .lcctl/long (a text of 200,000 bytes).
 */
struct ctlfs *ctl_fake(void);

#endif
