#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the project demands of every change, in phases. The last line sums up the tests of all.
# Usage: ci.sh [PHASE]...      (default: all, in the order below)
set -u -o pipefail

# distcheck builds as a user does and runs every test, from a release in a tree that is read only.
phases=(lint static clang asan tsan fuzz distcheck tree deb)
top=$(cd "$(dirname "$0")/.." && pwd)
# Seconds that no phase takes unless something hangs; the tests have limits of their own. All
# phases together stay under 40 minutes on two processors.
phase_timeout=${CI_PHASE_TIMEOUT:-900}

work=$(mktemp -d "${TMPDIR:-/var/tmp}/lcfs-ci.XXXXXX")
chmod 755 "$work" # a test runs as another user
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# test_in NAME OPTION...: scripts/test in a directory of its own, which is kept for count_results.
test_in() {
	local name=$1
	shift
	timeout --kill-after=30 "$phase_timeout" \
		"$top/scripts/test" --no-deps --dir "$work/$name" "$@"
}

# The checks that need no build; make check has the first three as well, but this takes a second.
phase_lint() {
	local failed=0 check
	for check in check-layers check-style check-man; do
		"$top/scripts/$check" "$top"
		case $? in
		0 | 77) ;;
		*) failed=1 ;;
		esac
	done
	(cd "$top" && shellcheck scripts/check-* scripts/deps scripts/test scripts/ci.sh \
		scripts/bench tests/bench/*.sh scripts/quickstart scripts/coverage \
		scripts/lcfs-plot scripts/plot-example \
		.ci/run tests/*.sh tests/*.bash tests/limited tests/sim/mutate \
		tests/powercut/mutate tests/powercut/powercut completion/lcfs \
		debian/tests/smoke) || failed=1
	(cd "$top/tests/guest" && shellcheck -S warning -e SC1090,SC1091 run build-base \
		newcomer newcomer-root newcomer-tour inside/*) || failed=1
	return $failed
}

# clang-tidy and cppcheck want a config.h, and no more.
phase_static() {
	local build=$work/static/build log=$work/static/log
	test_in static --prepare >/dev/null || return 1
	mkdir "$build" && cd "$build" || return 1
	if ! "$work/static/src/configure" </dev/null >"$log" 2>&1; then
		tail -n 60 "$log"
		return 1
	fi
	"$work/static/src/scripts/check-static" "$work/static/src" "$build"
}

phase_clang() {
	test_in clang --werror --build --clang
}

phase_asan() {
	test_in asan --asan
}

phase_tsan() {
	test_in tsan --tsan
}

# Each target for FUZZ_SECONDS (30), two at a time.
phase_fuzz() {
	test_in fuzz --fuzz
}

phase_distcheck() {
	test_in distcheck --distcheck
}

# What autoreconf puts into a tree; all else that a build makes, make distclean takes away.
autoreconf_makes=(Makefile.in aclocal.m4 autom4te.cache/ build-aux/ config.h.in config.h.in~
	configure configure~ m4/libtool.m4 m4/ltoptions.m4 m4/ltsugar.m4 m4/ltversion.m4
	m4/lt~obsolete.m4)

# With gcc, warnings are errors. A build inside the tree leaves nothing that git would show,
# and make distclean nothing at all.
phase_tree() {
	local src=$work/tree/src log=$work/tree/log found
	test_in tree --prepare >/dev/null || return 1
	cd "$src" || return 1
	make_repository "$src" || return 1
	if ! { ./configure --enable-werror && make -j "$(nproc)" check TESTS=; } \
		</dev/null >"$log" 2>&1; then
		tail -n 60 "$log"
		return 1
	fi
	found=$(git status --porcelain)
	if [ -n "$found" ]; then
		echo "a build in the tree leaves what git does not ignore:"
		echo "$found"
		return 1
	fi
	make distclean </dev/null >>"$log" 2>&1 || { tail -n 60 "$log"; return 1; }
	found=$(git status --porcelain --ignored | sed 's/^!! //' |
		grep -vxF "$(printf '%s\n' "${autoreconf_makes[@]}")")
	if [ -n "$found" ]; then
		echo "make distclean leaves:"
		echo "$found"
		return 1
	fi
}

# The Debian package builds, with nothing that lintian would complain of, and holds every program
# and page.
phase_deb() {
	local src=$work/deb/src log=$work/deb/log list=$work/deb/list root page name failed=0
	if ! command -v dpkg-buildpackage >/dev/null || ! command -v dh >/dev/null; then
		echo "not a Debian system: no package is built"
		return 0
	fi
	test_in deb --prepare >/dev/null || return 1
	cd "$src" || return 1
	if ! DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(nproc)" timeout "$phase_timeout" \
		dpkg-buildpackage -us -uc -b </dev/null >"$log" 2>&1; then
		tail -n 60 "$log"
		return 1
	fi
	dpkg-deb -c ../lcfs_*.deb | awk '{ print $6 }' >"$list" || return 1
	for page in man/*.[1-8]; do
		name=/man${page##*.}/${page##*/}.gz
		grep -q "$name\$" "$list" || { echo "$name is not in the package"; failed=1; }
	done
	root=$work/deb/root
	dpkg-deb -x ../lcfs_*.deb "$root" || return 1
	if [ "$(id -u)" = 0 ] && [ -c /dev/fuse ]; then
		PATH=$root/usr/bin:$root/usr/sbin:$PATH timeout 120 debian/tests/smoke || failed=1
	else
		echo "no root or no /dev/fuse: the programs of the package are not tried"
	fi
	if command -v lintian >/dev/null; then
		lintian --allow-root --fail-on error,warning ../lcfs_*.changes || failed=1
	else
		echo "lintian is not installed: not looked at"
	fi
	return $failed
}

# Makes the copy $1 a repository with all that is not ignored in one commit.
make_repository() {
	cd "$1" && git init -q && git add -A &&
		git -c user.name=ci -c user.email=ci@localhost commit -q -m 'the tree'
}

# count_results NAME: adds the results of the tests that phase NAME ran to passed, failed, skipped.
count_results() {
	local result n
	[ -d "$work/$1" ] || return 0
	# A distcheck that has succeeded leaves its log only.
	if [ "$1" = distcheck ] && [ "$status" = 0 ]; then
		n=$(sed -n 's/^# PASS: *//p' "$work/$1/distcheck.check.log" | head -n 1)
		passed=$((passed + ${n:-0}))
		n=$(sed -n 's/^# SKIP: *//p' "$work/$1/distcheck.check.log" | head -n 1)
		skipped=$((skipped + ${n:-0}))
		return 0
	fi
	while read -r n result; do
		case $result in
		PASS | XFAIL) passed=$((passed + n)) ;;
		SKIP) skipped=$((skipped + n)) ;;
		*) failed=$((failed + n)) ;;
		esac
	done < <(find "$work/$1" -name '*.trs' \
		-exec sed -n 's/^:test-result: \([A-Z]*\).*/\1/p' {} + | sort | uniq -c)
}

[ $# -gt 0 ] && phases=("$@")
for phase in "${phases[@]}"; do
	if ! declare -F "phase_$phase" >/dev/null; then
		echo "ci.sh: there is no phase '$phase'" >&2
		exit 2
	fi
done

passed=0 failed=0 skipped=0 bad_phases=()
"$top/scripts/deps" build test ci || exit 1
"$top/scripts/deps" guest || echo "ci: the tests of virtual machines will be skipped"
for phase in "${phases[@]}"; do
	echo "=== $phase"
	failed_before=$failed
	start=$SECONDS
	(phase_"$phase")
	status=$?
	count_results "$phase"
	if [ $status -ne 0 ]; then
		bad_phases+=("$phase")
		# A phase that fails elsewhere than in a test still counts.
		[ $failed -gt $failed_before ] || failed=$((failed + 1))
	fi
	echo "=== $phase: $([ $status = 0 ] && echo ok || echo FAILED) in $((SECONDS - start)) s"
	chmod -R u+w "$work" && rm -rf "${work:?}/$phase"
done

[ ${#bad_phases[@]} -eq 0 ] || echo "failed phases: ${bad_phases[*]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ ${#bad_phases[@]} -eq 0 ] && [ $failed -eq 0 ]
