# SPDX-License-Identifier: GPL-2.0-or-later
# H2: a writer gets an error of a try that was before he came.
#@ lcfs/cache/shares.c
s/\(!img->is_hung && img->tried_ns < waits_ns\)/false/
