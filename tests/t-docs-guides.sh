#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The guides do not rot: each command of lcfs in README.md and docs/ has only options, verbs and
# knobs that the programs know, and each message that is quoted is one that a program can say.
. "${top_srcdir:?}/tests/functions.sh"
set -eu

PATH=$top_builddir/lcfs:$top_builddir/lcfs/tools:$PATH
guides="$top_srcdir/README.md $top_srcdir/docs/*.md"
programs='lcfs lcctl mkfs.lcfs dump.lcfs fsck.lcfs'
bad=0

complain()
{
	echo "$guide: $*"
	bad=1
}

# ---------------------------------------------------------------- commands

for program in $programs; do
	works "$program" -h
	cp "$tmp/out" "$tmp/$program.help"
done
# Each option a word.
works lcfs --list-options
grep -q . "$tmp/out" || fail "lcfs --list-options says nothing"
sed -n 's/^  \(\[no\]\)\{0,1\}\([a-z_]*\)[ =].*/\2/p' "$tmp/lcfs.help" >"$tmp/words"
sed -n 's/^Flags passed on to the mount: //p' "$tmp/lcfs.help" | tr ' ' '\n' >>"$tmp/words"
printf '%s\n' nofail _netdev >>"$tmp/words"

# The commands of a guide, a line each: code with or without a prompt, and what is in backquotes.
commands()
{
	pattern=$(echo "$programs" | sed 's/\./\\./g; s/ /\\|/g')
	sed -n "s/^    \(# \)\{0,1\}\(\($pattern\) .*\)/\2/p" "$1"
	grep -o "\`\($pattern\) [^\`]*\`" "$1" | tr -d '`' || :
	# A line of fstab is a mount with its options.
	sed -n 's/^    \/[^ ]* *\/[^ ]* *lcfs *\([^ ]*\) .*/lcfs -o \1/p' "$1"
}

# check_words OPTION,...
check_words()
{
	for word in $(echo "$1" | tr ',' ' '); do
		word=${word%%=*}
		case $word in
		x-* | [A-Z]*) continue ;;
		esac
		grep -qx -e "$word" -e "${word#no}" "$tmp/words" || complain "no option $word"
	done
}

# check_option HELP OPTION: as it is written there, as a word.
check_option()
{
	option=${2%%=*}
	grep -qE -e "(^|[[ ,])$option([], =[]|\$)" "$1" || complain "no $option: $command"
}

check_command()
{
	help=$tmp/$1.help
	program=$1
	shift
	if [ "$program" = lcctl ]; then
		case $1 in
		-*) ;;
		*)
			help=$tmp/lcctl-$1.help
			if ! lcctl "$1" --help >"$help" 2>&1; then
				complain "lcctl has no verb $1"
				return
			fi
			;;
		esac
	fi
	expects=
	for word; do
		if [ "$expects" = -o ]; then
			check_words "$word"
			expects=
			continue
		fi
		expects=
		case $word in
		-o) expects=$word ;;
		-?*) check_option "$help" "$word" ;;
		esac
	done
	if [ "$program" = lcctl ] && { [ "$1" = set ] || [ "$1" = get ] || [ "$1" = help ]; }; then
		check_knobs "$@"
	fi
}

# check_knobs VERB WORD...: operands that are no values, paths or placeholders.
check_knobs()
{
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		-m | -i | -c) shift ;;
		-* | *[!a-z_]*) ;;
		*) lcctl help "$1" >"$tmp/out" 2>&1 || complain "lcctl knows no $1: $command" ;;
		esac
		shift
	done
}

count=0
for guide in $guides; do
	commands "$guide" | sed 's/ && /\n/g; s/ *#.*//; s/[;)].*//' >"$tmp/commands"
	while read -r command; do
		case " $programs " in
		*" ${command%% *} "*) ;;
		*) continue ;;
		esac
		count=$((count + 1))
		# shellcheck disable=SC2086
		check_command $command
	done <"$tmp/commands"
done
[ $count -ge 60 ] || fail "only $count commands are found in the guides"

# ---------------------------------------------------------------- messages

requires strings
# What the programs can say, as patterns: a conversion stands for anything.
for program in $programs; do
	strings -n 8 "$(command -v "$program")"
done | grep ' ' | sed 's/[][\.*^$]/\\&/g; s/%[-0-9.*lzhju]*[a-zA-Z]/.*/g' |
	grep '[a-z]\{3,\} .*[a-z]\{3,\}' | sort -u >"$tmp/patterns"

count=0
for guide in $guides; do
	sed -n 's/^    \(lcfs\|lcctl\|mkfs\.lcfs\): \(warning: \)\{0,1\}//p' "$guide" \
		>"$tmp/messages"
	while read -r message; do
		count=$((count + 1))
		# With and without what it is about, which may be a format of its own.
		printf '%s\n' "$message" "${message#*: }" | grep -qxf "$tmp/patterns" ||
			complain "nothing says: $message"
	done <"$tmp/messages"
done
[ $count -ge 15 ] || fail "only $count messages are found in the guides"
[ $bad = 0 ] || fail "the guides say what is not so"
