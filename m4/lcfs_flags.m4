# SPDX-License-Identifier: GPL-2.0-or-later
# Flags that are used only where the compiler or the linker takes them without a complaint.

# LCFS_CC_FLAGS(VARIABLE, FLAGS): append each of FLAGS that the compiler takes.
AC_DEFUN([LCFS_CC_FLAGS], [
for lcfs_flag in $2; do
	AC_MSG_CHECKING([whether $CC takes $lcfs_flag])
	lcfs_saved_cflags=$CFLAGS
	CFLAGS="$CFLAGS -Werror $lcfs_flag"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
		[AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1], [" $lcfs_flag"])],
		[AC_MSG_RESULT([no])])
	CFLAGS=$lcfs_saved_cflags
done
])

# LCFS_LD_FLAGS(VARIABLE, FLAGS): append each of FLAGS that the linker takes.
AC_DEFUN([LCFS_LD_FLAGS], [
for lcfs_flag in $2; do
	AC_MSG_CHECKING([whether the linker takes $lcfs_flag])
	lcfs_saved_cflags=$CFLAGS
	lcfs_saved_ldflags=$LDFLAGS
	CFLAGS="$CFLAGS -fPIE"
	LDFLAGS="$LDFLAGS -Werror $lcfs_flag"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
		[AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1], [" $lcfs_flag"])],
		[AC_MSG_RESULT([no])])
	CFLAGS=$lcfs_saved_cflags
	LDFLAGS=$lcfs_saved_ldflags
done
])

# LCFS_SANITIZER(NAME, -fsanitize ARGUMENT, HELP): --enable-NAME; enable_NAME is yes or no then.
AC_DEFUN([LCFS_SANITIZER], [
AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$3])], [], [enable_$1=no])
AS_IF([test "x$enable_$1" = xyes], [
	lcfs_before=$LCFS_CFLAGS
	LCFS_CC_FLAGS([LCFS_CFLAGS], [-fsanitize=$2])
	AS_IF([test "x$lcfs_before" = "x$LCFS_CFLAGS"],
		[AC_MSG_ERROR([--enable-$1: $CC does not take -fsanitize=$2])])
	AS_VAR_APPEND([LCFS_LDFLAGS], [" -fsanitize=$2"])
	lcfs_sanitized=yes
])
])
