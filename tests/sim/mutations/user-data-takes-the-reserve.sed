# SPDX-License-Identifier: GPL-2.0-or-later
# H1: what is kept for the cleaner and for operations is given to user data.
#@ lcfs/cache/core.h
s/PURPOSE_USER = [0-9]+/PURPOSE_USER = 0/
