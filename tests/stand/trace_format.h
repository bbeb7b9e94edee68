/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace of blockfile: what happened to its files, in one file, in the order of completion.
 *
 * It begins with a struct trace_head, then come records: a struct trace_record and, for a write,
 * its bytes, for a mark its text. Numbers are as the machine has them: a trace is read where it was
 * made.
 *
 * start and end are taken from one counter for all files, at the arrival of a request and before
 * its answer: what has a start above another's end was sent after that one had been answered, or at
 * least after nothing more could happen to it. Hence what is durable at a cut: a write without an
 * error whose end is below the start of a sync of the same file, without an error, whose end is
 * below the cut. All else may be there or not, sector by sector.
 */
#ifndef TESTS_STAND_TRACE_FORMAT_H
#define TESTS_STAND_TRACE_FORMAT_H

#include <stdint.h>

#include "common/compiler.h"

#define TRACE_MAGIC UINT64_C(0x6563617274636c66)
#define TRACE_FILES 8
#define TRACE_NAME 56

enum trace_kind {
	TRACE_WRITE = 1,   /* with data */
	TRACE_DISCARD = 2, /* zeros from here on */
	TRACE_SYNC = 3,
	TRACE_MARK = 4, /* of no file; with its text */
};

struct trace_head {
	uint64_t magic;
	uint32_t nr_files, reserved;
	struct {
		char name[TRACE_NAME];
		uint64_t bytes;
	} file[TRACE_FILES];
};

struct trace_record {
	uint8_t kind, file;
	int16_t error; /* 0 or errno of what it was answered */
	uint32_t data_bytes;
	uint64_t start, end;
	uint64_t offset, bytes; /* of the range in the file */
	uint64_t time_ns;	/* CLOCK_REALTIME, at its end */
};
size_assert(struct trace_record, 48);

#endif
