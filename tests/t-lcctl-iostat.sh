#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lcctl iostat: as many samples as asked for, at the interval asked for, with what was written in
# between; and top, which gives the terminal back.
. "${top_srcdir:?}/tests/functions.sh"
. "${top_srcdir:?}/tests/lcctl_lib.sh"
set -eu
requires python3
alone "$0"
standard_mount allow_migrate=0
echo hello >"$mnt/a.img"

works "$LCCTL" iostat
[ "$(wc -l <"$tmp/out")" = 2 ] || fail "not a header and a sample: $(cat "$tmp/out")"
works "$LCCTL" iostat 0.2 3
[ "$(wc -l <"$tmp/out")" = 4 ] || fail "not a header and three samples: $(cat "$tmp/out")"
works "$LCCTL" iostat -y -H -p 1 2
awk -F '\t' 'NF != 15 || $2 != "cache 1" || $1 < 1000000000 { exit 1 }
	NR == 1 { first = $1 }
	END { exit NR != 2 || $1 - first < 1 || $1 - first > 3 }' "$tmp/out" ||
	fail "iostat -y -H -p 1 2: $(cat "$tmp/out")"
works "$LCCTL" iostat -v -H
cut -f 2 "$tmp/out" >"$tmp/what"
printf 'cache 1\na.img\n' | cmp -s - "$tmp/what" || fail "-v: $(cat "$tmp/out")"

# The writes between two samples: at least 100, within two seconds.
"$LCCTL" iostat -j 2 2 >"$tmp/json" &
iostat=$!
cleanup_fn end_process $iostat
eventually 10 test -s "$tmp/json" || fail "no first sample"
for i in $(seq 100); do
	dd if=/dev/zero of="$mnt/a.img" bs=4096 count=1 seek="$i" conv=notrunc status=none
done
wait $iostat || fail "iostat ends with status $?"
python3 -c 'import json, sys
samples = [json.loads(line) for line in sys.stdin]
assert len(samples) == 2, samples
second = samples[1]["samples"][0]
assert 1.9 < samples[1]["seconds"] < 10, samples
writes = second["writes_per_second"] * samples[1]["seconds"]
assert 98 <= writes <= 110, second
assert second["dirty_bytes"] == 101 * 4096, second' <"$tmp/json" || fail "$(cat "$tmp/json")"

# A signal ends it in order.
"$LCCTL" iostat -H 0.1 >"$tmp/samples" &
iostat=$!
cleanup_fn end_process $iostat
eventually 10 test -s "$tmp/samples" || fail "no samples"
kill -TERM $iostat
wait $iostat || fail "iostat ends with status $? after a signal"

refused 1 'is no terminal' "$LCCTL" top
cat >"$tmp/top.py" <<'P'
import os, pty, select, signal, sys, termios
def screen(act):
	pid, fd = pty.fork()
	if pid == 0:
		os.execv(sys.argv[1], [sys.argv[1], 'top', '0.2'])
	out, has_acted, raw = b'', False, None
	while select.select([fd], [], [], 20)[0]:
		try:
			data = os.read(fd, 65536)
		except OSError:
			break
		out += data
		if out.count(b'a.img') >= 2 and not has_acted:
			raw = termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO)
			has_acted = True
			act(pid, fd)
	status = os.waitpid(pid, 0)[1]
	assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, status
	assert raw == 0, raw
	assert out.startswith(b'\x1b[?1049h\x1b[?25l'), out
	assert out.endswith(b'\x1b[?25h\x1b[?1049l'), out
screen(lambda pid, fd: os.write(fd, b'wrdn q'))
screen(lambda pid, fd: os.kill(pid, signal.SIGTERM))
screen(lambda pid, fd: os.write(fd, b'\x03'))
P
works python3 "$tmp/top.py" "$LCCTL"
