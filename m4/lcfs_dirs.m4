# SPDX-License-Identifier: GPL-2.0-or-later
# Directories of other programs that lcfs puts something into.

# LCFS_DIR(VARIABLE, NAME, DEFAULT, WHAT): --with-VARIABLE=DIR, substituted; empty for no.
AC_DEFUN([LCFS_DIR], [
AC_ARG_WITH([$1],
	[AS_HELP_STRING([--with-$1=DIR], [where to put $4 [$3]; no: nowhere])],
	[], [with_$1=yes])
AS_CASE([$with_$1],
	[yes], [$1='$3'],
	[no], [$1=],
	[$1=$with_$1])
AC_SUBST([$1])
])
