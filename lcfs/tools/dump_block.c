// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All versions of a block that the log holds, and the contents of the newest.
 *
 * Recovery is rehearsed first: then paths are known, and what a dead daemon had in RAM is a part of
 * the log. Where that fails, an image can still be named by its number.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "lcfs/cache/logscan.h"
#include "lcfs/tools/dump.h"
#include "lcfs/tools/rehearsal.h"

struct search {
	struct dump *d;
	uint64_t key;
	uint64_t versions;
	bool has_contents; /* buf has the newest version, and its sum holds */
	uint8_t mask;
	uint8_t *buf;
};

/* The image's number, or 0. */
static uint32_t find_image(const struct rehearsal *rehearsal, const char *name)
{
	struct cache_image *img = NULL;
	char path[OP_PATH_MAX + 1];
	uint64_t id;

	if (parse_u64(name, 1, IMAGE_ID_MAX, &id) == 0)
		return (uint32_t)id;
	while (rehearsal->cache && (img = cache_image_next(rehearsal->cache, img))) {
		struct cache_image_info info;

		cache_image_info(rehearsal->cache, img, &info);
		cache_image_path(rehearsal->cache, img, path);
		if (info.is_bound && strcmp(path, name) == 0)
			return info.id;
	}
	return 0;
}

static void print_version(struct search *s, struct logscan *scan, const struct logscan_record *rec,
			  uint32_t i)
{
	struct report *r = &s->d->report;
	uint32_t block = record_entry_block(rec->header, i);
	int err = logscan_block(scan, rec, i, s->buf);

	s->versions++;
	s->has_contents = !err;
	s->mask = rec->header->dirty[i];
	report_line(r, "version");
	report_u64(r, "lsn", rec->lsn);
	report_u64(r, "segment", rec->segment_id);
	report_u64(r, "entry", i);
	report_u64(r, "at", (le64_get(rec->header->address) + block) * BLOCK_BYTES);
	report_hex(r, "sectors", rec->header->dirty[i], 2);
	report_hex(r, "sum", le32_get(rec->header->sum[i]), 8);
	if (err)
		dump_problem(s->d, "%s",
			     err == -EUCLEAN ? "its block is not what its sum says" :
					       strerror(-err));
	report_end(r);
}

static int look_at_record(struct logscan *scan, const struct logscan_record *rec, void *arg)
{
	struct search *s = arg;
	uint32_t nr = le16_get(rec->header->nr_entries);

	for (uint32_t i = 0; i < nr; i++)
		if (rec->header->dirty[i] && !(rec->header->entry_flags[i] & ENTRY_OP) &&
		    le64_get(rec->header->key[i]) == s->key)
			print_version(s, scan, rec, i);
	return 0;
}

static void print_hex(struct dump *d, const uint8_t *buf)
{
	char line[3 * 16 + 1];

	report_array(&d->report, "contents");
	for (uint32_t at = 0; at < BLOCK_BYTES; at += 16) {
		for (uint32_t i = 0; i < 16; i++)
			snprintf(line + 3 * i, 4, "%02x%s", buf[at + i], i < 15 ? " " : "");
		line[3 * 16 - 1] = '\0';
		if (d->report.is_json) {
			report_text(&d->report, "line", line);
		} else {
			char name[8];

			snprintf(name, sizeof(name), "%03" PRIx32, at);
			report_text(&d->report, name, line);
		}
	}
	report_end(&d->report);
}

static void write_raw(struct dump *d, const char *name, const uint8_t *buf)
{
	bool is_stdout = strcmp(name, "-") == 0;
	int fd = is_stdout ? STDOUT_FILENO :
			     open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n = fd < 0 ? -1 : write(fd, buf, BLOCK_BYTES);

	if (n != (ssize_t)BLOCK_BYTES)
		dump_problem(d, "%s: cannot be written: %s", name,
			     n < 0 ? strerror(errno) : "no space left");
	if (fd >= 0 && !is_stdout)
		close(fd);
}

static void print_found(struct search *s, const struct dump_block_request *q)
{
	if (!s->versions)
		dump_problem(s->d, "block %" PRIu64 " of image %s is not in the log", q->block,
			     q->image);
	if (!s->has_contents)
		return;
	report_hex(&s->d->report, "valid_sectors", s->mask, 2);
	if (q->output)
		write_raw(s->d, q->output, s->buf);
	else
		print_hex(s->d, s->buf);
}

static void search(struct search *s, struct rehearsal *rehearsal)
{
	static const struct logscan_conf conf = { .deliver_damaged = true };
	struct blkdev *dev = rehearsal->cache ? &rehearsal->overlay.dev : s->d->cache.blkdev;
	struct logscan_result w = { 0 };
	int err;

	report_array(&s->d->report, "versions");
	err = logscan_walk_conf(dev, s->d->sb, &conf, look_at_record, s, &w);
	report_end(&s->d->report);
	if (err)
		dump_problem(s->d, "the log: %s", w.text[0] ? w.text : strerror(-err));
}

void dump_block(struct dump *d, const struct dump_block_request *q)
{
	CLEANUP_FREE uint8_t *buf = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	struct search s = { .d = d, .buf = buf };
	struct rehearsal rehearsal;
	uint32_t id;

	if (rehearse(&rehearsal, d->cache.blkdev, d->sb, REHEARSE_LOST) < 0)
		report_text(&d->report, "recovery", rehearsal.report.error);
	id = find_image(&rehearsal, q->image);
	if (!id || !buf) {
		dump_problem(d, "%s: there is no such image in the log", q->image);
	} else {
		s.key = entry_key(id, q->block);
		report_u64(&d->report, "image", id);
		report_u64(&d->report, "block", q->block);
		search(&s, &rehearsal);
		print_found(&s, q);
	}
	rehearsal_free(&rehearsal);
}
