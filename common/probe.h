/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Static probe points (USDT) of provider "lcfs", for bpftrace and its like: a nop each where
 * <sys/sdt.h> is there, else nothing. Arguments are integers or pointers and are evaluated in
 * either case. What each means stands in scripts/trace/.
 */
#ifndef COMMON_PROBE_H
#define COMMON_PROBE_H

#ifdef HAVE_SDT
#include <sys/sdt.h>
#define PROBE3(name, a, b, c) DTRACE_PROBE3(lcfs, name, a, b, c)
#define PROBE5(name, a, b, c, d, e) DTRACE_PROBE5(lcfs, name, a, b, c, d, e)
#else
#define PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define PROBE5(name, a, b, c, d, e) ((void)(a), (void)(b), (void)(c), (void)(d), (void)(e))
#endif

#endif
