// SPDX-License-Identifier: GPL-2.0-or-later
/* One record: its header, its entries, its operations. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "lcfs/tools/dump.h"

void dump_record_facts(struct dump *d, const struct record_disk *h)
{
	struct report *r = &d->report;
	uint32_t nr = le16_get(h->nr_entries), live = 0;

	for (uint32_t i = 0; i < nr; i++)
		live += h->dirty[i] != 0;
	report_u64(r, "lsn", le64_get(h->lsn));
	report_u64(r, "segment", le64_get(h->segment_id));
	report_u64(r, "address", le64_get(h->address) * BLOCK_BYTES);
	report_u64(r, "epoch", le64_get(h->branch) >> 16);
	report_u64(r, "attempt", le64_get(h->branch) & 0xffff);
	report_u64(r, "branch_lsn", le64_get(h->branch_lsn));
	report_hex(r, "checksum", le64_get(h->checksum), 16);
	report_hex(r, "link", le64_get(h->link), 16);
	report_u64(r, "durable_lsn", le64_get(h->durable_lsn));
	report_u64(r, "origin_lsn", le64_get(h->origin_lsn));
	report_u64(r, "time_ns", le64_get(h->time_ns));
	report_u64(r, "entries", nr);
	report_u64(r, "live", live);
	report_u64(r, "blocks", le16_get(h->nr_blocks));
}

static const char *op_name(enum op_type type)
{
	static const char *const names[] = {
		[OP_BIND] = "bind",	    [OP_SIZE] = "size",
		[OP_TRUNCATE] = "truncate", [OP_PUNCH] = "punch",
		[OP_RENAME] = "rename",	    [OP_EXCHANGE] = "exchange",
		[OP_UNBIND] = "unbind",	    [OP_CLEAN] = "clean",
		[OP_TOUCH] = "touch",	    [OP_INTENT] = "intent",
		[OP_DONE] = "done",	    [OP_STATE] = "state",
		[OP_ATTACH] = "attach",	    [OP_INVALIDATE] = "invalidate",
		[OP_DROP] = "drop",	    [OP_CHECKPOINT] = "checkpoint",
		[OP_NAMED] = "named",
	};

	return (size_t)type < array_size(names) && names[type] ? names[type] : "unknown";
}

static void print_op(struct dump *d, const struct op *op)
{
	struct report *r = &d->report;

	report_line(r, "op");
	report_text(r, "type", op_name(op->type));
	report_u64(r, "image", op->image);
	report_u64(r, "arg0", op->arg0);
	report_u64(r, "arg1", op->arg1);
	if (op->path_bytes)
		report_bytes(r, "path", op->path, op->path_bytes);
	if (op->path2_bytes)
		report_bytes(r, "path2", op->path2, op->path2_bytes);
	if (op->has_stamp) {
		report_u64(r, "stamp_size", op->stamp.size);
		report_i64(r, "stamp_mtime_ns", op->stamp.mtime_ns);
		report_i64(r, "stamp_ctime_ns", op->stamp.ctime_ns);
	}
	if (op->has_identity)
		report_u64(r, "ino", op->identity.ino);
	report_end(r);
}

static void print_ops(struct dump *d, const uint8_t *block)
{
	enum format_reason why = FORMAT_OK;
	uint32_t pos = 0;
	struct op op;
	int ret;

	report_array(&d->report, "operations");
	while ((ret = op_next(block, &pos, &op, &why)) > 0)
		print_op(d, &op);
	report_end(&d->report);
	if (ret < 0)
		dump_problem(d, "operation at byte %" PRIu32 ": %s", pos, format_reason_text(why));
}

static void print_flags(struct dump *d, uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} known[] = {
		{ ENTRY_ZERO, "is_zero" },
		{ ENTRY_RELOCATED, "is_relocated" },
		{ ENTRY_POISON, "is_poison" },
		{ ENTRY_EXTENDS, "extends" },
	};

	for (size_t i = 0; i < array_size(known); i++)
		if (flags & known[i].flag)
			report_bool(&d->report, known[i].name, true);
}

static void print_entry(struct dump *d, const struct record_disk *h, uint32_t i, uint32_t block)
{
	struct report *r = &d->report;
	uint64_t key = le64_get(h->key[i]);

	report_u64(r, "entry", i);
	if (block)
		report_u64(r, "at", (le64_get(h->address) + block) * BLOCK_BYTES);
	if (h->dirty[i] && !(h->entry_flags[i] & ENTRY_OP)) {
		report_u64(r, "image", entry_key_image(key));
		report_u64(r, "block", entry_key_block(key));
	}
	report_hex(r, "sectors", h->dirty[i], 2);
	report_hex(r, "sum", le32_get(h->sum[i]), 8);
	print_flags(d, h->entry_flags[i]);
}

void dump_record_entries(struct dump *d, const struct record_disk *h, dump_read_fn read, void *ctx)
{
	CLEANUP_FREE uint8_t *buf = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	uint32_t nr = le16_get(h->nr_entries), block = 0;

	report_array(&d->report, "entry_list");
	for (uint32_t i = 0; i < nr && buf; i++) {
		bool has_block = !(h->entry_flags[i] & ENTRY_NO_DATA);
		int err = 0;

		block += has_block;
		report_line(&d->report, "entry");
		print_entry(d, h, i, has_block ? block : 0);
		if (h->dirty[i] && has_block)
			err = read(ctx, i, buf);
		if (err)
			dump_problem(d, "%s",
				     err == -EUCLEAN ? "its block is not what its sum says" :
						       strerror(-err));
		else if (h->dirty[i] && (h->entry_flags[i] & ENTRY_OP))
			print_ops(d, buf);
		report_end(&d->report);
	}
	report_end(&d->report);
	if (!buf)
		dump_problem(d, "out of memory");
}
