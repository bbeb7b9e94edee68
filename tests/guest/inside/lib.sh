# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the scenarios share, in the guest. Each check has a line for the host and keeps its output.

# shellcheck disable=SC2034 # used by the scenarios
cache_disk=/dev/disk/by-id/virtio-lccache store_disk=/dev/disk/by-id/virtio-lcstore
work=/var/tmp/lcfs-test
out=$work/out
mkdir -p $work

show()
{
	head -n "${lines:-60}" $out | cut -c 1-400 | sed 's/^/    /'
}

ok()
{
	echo "@ok $*"
}

not_ok()
{
	echo "@not $*"
}

# run COMMAND...: what it says to $out, its status to $status.
run()
{
	status=0
	echo "  \$ $*"
	case $(type "$1" 2>/dev/null) in
	*function*) "$@" >$out 2>&1 </dev/null || status=$? ;;
	*) timeout 120 "$@" >$out 2>&1 </dev/null || status=$? ;;
	esac
	show
}

# check NAME COMMAND...
check()
{
	name=$1
	shift
	run "$@"
	if [ $status = 0 ]; then
		ok "$name"
	else
		not_ok "$name: status $status: $*"
		return 1
	fi
}

# says TEXT NAME COMMAND...: it ends well and TEXT is in what it says.
says()
{
	text=$1
	name=$2
	shift 2
	run "$@"
	if [ $status = 0 ] && grep -qF -e "$text" $out; then
		ok "$name"
	else
		not_ok "$name: status $status, or no '$text': $*"
	fi
}

# refuses TEXT NAME COMMAND...: it fails, and TEXT is in what it says.
refuses()
{
	text=$1
	name=$2
	shift 2
	run "$@"
	if [ $status != 0 ] && grep -qF -e "$text" $out; then
		ok "$name"
	else
		not_ok "$name: status $status, or no '$text': $*"
	fi
}

# lacks TEXT NAME COMMAND...: TEXT, a regular expression, is not in what it says.
lacks()
{
	text=$1
	name=$2
	shift 2
	run "$@"
	if grep -qE -e "$text" $out; then
		not_ok "$name: '$text' is there"
		grep -nE -e "$text" $out | head -n 10
	else
		ok "$name"
	fi
}

# equals WANT NAME COMMAND...: that is all it says.
equals()
{
	want=$1
	name=$2
	shift 2
	run "$@"
	if [ "$(cat $out)" = "$want" ]; then
		ok "$name"
	else
		not_ok "$name: '$(head -c 200 $out)', not '$want'"
	fi
}

# eventually SECONDS COMMAND...
eventually()
{
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 0.2
	done
}

booted()
{
	timeout 300 systemctl is-system-running --wait
}

# Of those that have to do with lcfs; a slow machine fails others now and then.
no_unit_failed()
{
	lacks 'lcfs|mnt-lc|srv|data\.mount|user-of-image|smbd|nfs-server' "no unit failed" \
		systemctl --failed --no-legend --plain
}

is_gone()
{
	[ ! -e "/proc/$1" ]
}

daemon_is_gone()
{
	! pidof lcfs >/dev/null
}

# knob MNT NAME
knob()
{
	timeout 20 cat "$1/.lcctl/caches/1/$2"
}

# random_file FILE MEBIBYTES SEED
random_file()
{
	"$here/verifier" random "$1" $(($2 << 20)) "$3"
}

# The journal of lcfs, of this boot or with "-b -1" of the one before.
journal_of_lcfs()
{
	journalctl --no-pager -o cat -t lcfs -t mount.lcfs "$@"
}
