/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units of time. Apart from clock.h, for code that computes with time but must not read a clock. */
#ifndef COMMON_NSEC_H
#define COMMON_NSEC_H

#include <stdint.h>

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

#endif
