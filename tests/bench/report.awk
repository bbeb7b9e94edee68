# SPDX-License-Identifier: GPL-2.0-or-later
# Samples (see lib.sh) to a table and JSON. Status 1: a bar is missed.

function sort_values(list, n,    i, j, v)
{
	for (i = 2; i <= n; i++) {
		v = list[i]
		for (j = i - 1; j >= 1 && list[j] > v; j--)
			list[j + 1] = list[j]
		list[j + 1] = v
	}
}

# The value at share p of a sorted list, between neighbours where need be.
function quantile(list, n, p,    at, low)
{
	at = 1 + (n - 1) * p
	low = int(at)
	return low >= n ? list[n] : list[low] + (at - low) * (list[low + 1] - list[low])
}

# Sorts what field `what` of the row's side has, "-" left out, into sorted; returns how many.
function collect(row, side, what,    pair, n, v)
{
	split("", sorted)
	for (pair = 0; pair <= last_pair[row]; pair++) {
		v = data[row, side, pair, what]
		if (v != "" && v != "-")
			sorted[++n] = v + 0
	}
	sort_values(sorted, n)
	return n + 0
}

function median_of(row, side, what,    n)
{
	n = collect(row, side, what)
	return n ? quantile(sorted, n, 0.5) : "-"
}

function number(v)
{
	if (v == "-")
		return v
	return sprintf(v >= 1000 ? "%.0f" : v >= 100 ? "%.1f" : v >= 1 ? "%.2f" : "%.3f", v)
}

function cpu(row, side,    server, client)
{
	server = median_of(row, side, "server")
	client = median_of(row, side, "client")
	if (server == "-" && client == "-")
		return "-"
	return number(server) (client == "-" ? "" : "+" number(client))
}

# Fills ratio[1..n], sorted; returns n.
function ratios(row,    pair, n, a, b)
{
	split("", ratio)
	for (pair = 0; pair <= last_pair[row]; pair++) {
		a = data[row, "lcfs", pair, "value"]
		b = data[row, "ref", pair, "value"]
		if (a != "" && b + 0 > 0)
			ratio[++n] = a / b
	}
	sort_values(ratio, n)
	return n + 0
}

function span(n, a, b)
{
	return n ? sprintf(b >= 100 ? "%.0f..%.0f" : "%.2f..%.2f", a, b) : "-"
}

function verdict(row, mid)
{
	if (needs[row] == "-" || mid == "-")
		return "-"
	if (better[row] == "more" ? mid >= needs[row] : mid <= needs[row])
		return "ok"
	missed++
	return "MISSED"
}

function quoted(s)
{
	gsub(/["\\]/, "\\\\&", s)
	return "\"" s "\""
}

# What field `what` of the row's side has, pair by pair.
function json_list(row, side, what,    pair, out, v)
{
	for (pair = 0; pair <= last_pair[row]; pair++) {
		v = data[row, side, pair, what]
		out = out (pair ? ", " : "") (v == "" || v == "-" ? "null" : v)
	}
	return "[" out "]"
}

function json_side(row, side)
{
	return quoted(side) ": {\"cpu_us\": " quoted(cpu(row, side)) ", \"samples\": " \
		json_list(row, side, "value") ",\n              \"cpu_us_server\": " \
		json_list(row, side, "server") ", \"cpu_us_client\": " \
		json_list(row, side, "client") "}"
}

function json_row(row, n, mid, said,    s, out)
{
	out = "  {\"name\": " quoted(row) ", \"title\": " quoted(title[row]) ", \"unit\": " \
		quoted(unit[row]) ", \"needs\": " (needs[row] == "-" ? "null" : needs[row]) \
		", \"verdict\": " quoted(said) ",\n   \"ratio\": " (n ? mid : "null")
	if (n)
		out = out ", \"ratio_quartiles\": [" quantile(ratio, n, 0.25) ", " \
			quantile(ratio, n, 0.75) "], \"ratio_range\": [" ratio[1] ", " ratio[n] "]"
	out = out ",\n   \"sides\": {"
	for (s = 1; s <= nr_sides[row]; s++)
		out = out (s > 1 ? ",\n             " : "") json_side(row, sides[row, s])
	return out "}}"
}

BEGIN { FS = "\t" }

$1 == "row" {
	rows[++nr_rows] = $2
	unit[$2] = $3
	better[$2] = $4
	needs[$2] = $5
	title[$2] = $6
	last_pair[$2] = -1
}

$1 == "sample" {
	if (!(($2, $4) in has_side)) {
		has_side[$2, $4] = 1
		sides[$2, ++nr_sides[$2]] = $4
	}
	if ($3 > last_pair[$2])
		last_pair[$2] = $3 + 0
	data[$2, $4, $3 + 0, "value"] = $5
	data[$2, $4, $3 + 0, "server"] = $6
	data[$2, $4, $3 + 0, "client"] = $7
}

$1 == "note" { notes[++nr_notes] = $2 ": " $3 }
$1 == "took" { took = took (took ? ", " : "") $2 " " $3; seconds += $3 }
$1 == "machine" { machine = $2 }

END {
	print machine (size == "tiny" ? " (tiny: the figures mean nothing)" : "")
	format = "%-18s %9s %9s %-5s %6s %13s %13s %6s %-6s %13s %13s  %s\n"
	printf format, "row", "lcfs", "ref", "unit", "ratio", "quartiles", "range", "needs", "", \
		"cpu lcfs", "cpu ref", "what"
	for (r = 1; r <= nr_rows; r++) {
		row = rows[r]
		n = ratios(row)
		mid = n ? quantile(ratio, n, 0.5) : "-"
		said = verdict(row, mid)
		quartiles = span(n, quantile(ratio, n, 0.25), quantile(ratio, n, 0.75))
		range = span(n, ratio[1], ratio[n])
		sign = better[row] == "more" ? ">=" : "<="
		printf format, row, number(median_of(row, "lcfs", "value")), \
			number(median_of(row, "ref", "value")), unit[row], \
			n ? sprintf(mid >= 100 ? "%.0f" : "%.2f", mid) : "-", quartiles, range, \
			needs[row] == "-" ? "-" : sign needs[row], said, cpu(row, "lcfs"), \
			cpu(row, "ref"), title[row]
		text = text (r > 1 ? ",\n" : "") json_row(row, n, n ? mid : "-", said)
	}
	for (i = 1; i <= nr_notes; i++)
		print "  " notes[i]
	print "  seconds: " seconds " (" took ")"
	printf "{\"machine\": %s, \"size\": %s, \"seconds\": %d,\n \"rows\": [\n%s\n ]}\n", \
		quoted(machine), quoted(size), seconds, text >json
	exit missed > 0
}
