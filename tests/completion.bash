# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# completion.bash LIBRARY COMPLETION [WORD...]: what bash offers behind these words, the last of
# which is the beginning of one; a line each. Words as readline splits them, = and : being words.
# shellcheck source=/dev/null
source "$1"
# shellcheck source=/dev/null
source "$2"
shift 2
program=${1##*/}
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
COMP_WORDS=()
for word; do
	while [[ $word =~ ^([^=:]*)([=:]+)(.*)$ && $program != "$word" ]]; do
		[[ -z ${BASH_REMATCH[1]} ]] || COMP_WORDS+=("${BASH_REMATCH[1]}")
		COMP_WORDS+=("${BASH_REMATCH[2]}")
		word=${BASH_REMATCH[3]}
	done
	COMP_WORDS+=("$word")
done
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_TYPE=9
COMP_KEY=9
compopt()
{
	:
}
function=$(complete -p "$program" | sed 's/.*-F \([^ ]*\).*/\1/')
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
