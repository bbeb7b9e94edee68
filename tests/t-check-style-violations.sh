#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check-style accepts a well-formed file at its limits, and names each kind of violation.
set -eu

: "${top_srcdir:?is set by make check}"
checker=$top_srcdir/scripts/check-style
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
licence='// SPDX-License-Identifier: GPL-2.0-or-later'
tab=$(printf '\t')

mkdir -p "$tmp/common" "$tmp/lcfs" "$tmp/tests" "$tmp/scripts" "$tmp/man" "$tmp/m4"
echo "# ${licence#// }" | tee "$tmp/Makefile.am" "$tmp/configure.ac" >"$tmp/m4/lcfs_flags.m4"

src=$tmp/common/a.c # the one source file

check()
{
	status=0
	"$checker" "$tmp" >"$tmp/out" 2>&1 || status=$?
}

accepts()
{
	check
	[ $status = 0 ] && return
	echo "FAIL: $1 is refused:"
	cat "$tmp/out"
	failed=1
}

# refuses LINE TEXT
refuses()
{
	check
	if [ $status != 1 ] || ! grep -F "common/a.c:$1: " "$tmp/out" | grep -qF "$2"; then
		echo "FAIL: exit status $status, not 1 with '$1: ...$2':"
		cat "$tmp/out"
		failed=1
	fi
}

head()
{
	printf '%s\n/* What it is for. */\n' "$licence"
}

# function_of N: a function with N lines between its braces
function_of()
{
	printf 'void f(void)\n{\n'
	yes "${tab}f();" | sed "$1q"
	printf '}\n'
}

# Many short functions, so that the one under test is not one of ten.
short_functions()
{
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		function_of 1
	done
}

{ head; short_functions; function_of 100; } >"$src"
accepts "a function of 100 lines"
{ head; short_functions; function_of 101; } >"$src"
refuses 52 'a function of 101 lines'
{ head; yes '/* */' | sed 598q; } >"$src"
accepts "a file of 600 lines"
{ head; yes '/* */' | sed 599q; } >"$src"
refuses 601 'a file of 601 lines'
{ head; printf '/* %094d */\n' 0; } >"$src"
accepts "a line of 100 columns"
{ head; printf '/* %095d */\n' 0; } >"$src"
refuses 3 'more than 100 columns'
{ head; printf '\t/* %086d */\n' 0; } >"$src"
accepts "a tab that ends at column 8"
{ head; printf '\t/* %087d */\n' 0; } >"$src"
refuses 3 'more than 100 columns'
{ head; printf '/* %093d\303\251 */\n' 0; } >"$src"
accepts "a character of two bytes in column 97"
{ head; printf 'int a; \n'; } >"$src"
refuses 3 'trailing blank'
{ head; printf 'int a;\t\n'; } >"$src"
refuses 3 'trailing blank'
{ head; printf '        int a;\n'; } >"$src"
refuses 3 'indented by blanks'
{ head; printf 'int a; \t/* */\n'; } >"$src"
refuses 3 'blank before a tab'
printf '/* What it is for. */\nint a;\n' >"$src"
refuses 1 'the first line is not'
printf '%s\nint a;\n' "$licence" >"$src"
refuses 2 'no purpose line'

# Each function is short enough for itself, but too many are long.
{ head; function_of 51; } >"$src"
check
if [ $status != 1 ] || ! grep -q 'nine of ten' "$tmp/out"; then
	echo "FAIL: too many functions over 50 lines give exit status $status:"
	cat "$tmp/out"
	failed=1
fi

exit $failed
