// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl reads any control tree: a mount may be somebody else's, and its files may say anything.
 * What it prints for people has no control character of theirs, and each row is one line.
 *
 * The input is the contents of the files below, one behind the other, each ended by a byte 0xff;
 * and a line of mountinfo.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/json.h"
#include "common/messages.h"
#include "common/mountinfo.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_sample.h"
#include "lcfs/tools/lcctl_status.h"
#include "lcfs/tools/lcctl_table.h"
#include "tests/fuzz/fuzz.h"

static const char *const files[] = {
	"metrics",
	"caches/1/stat",
	"caches/1/state",
	"caches/1/reason",
	"caches/1/dirty_bytes",
	"caches/1/nr_segments",
	"caches/1/last_flushed_segment_id",
	"devices/3/name",
	"devices/3/state",
	"devices/3/reason",
	"devices/3/stat",
	"devices/3/dirty_age_ms",
};

static struct tree tree = { .where = "/mnt/lc", .source = "/srv", .fd = -1 };
static FILE *out;

static void drop_message(enum msg_level level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static void make_tree(void)
{
	char dir[] = "/dev/shm/lcfs-fuzz.XXXXXX";

	if (!mkdtemp(dir)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	tree.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (const char *const *d =
		     (const char *const[]){ "caches", "caches/1", "devices", "devices/3", NULL };
	     *d; d++)
		FUZZ_CHECK(mkdirat(tree.fd, *d, 0700) == 0);
	FUZZ_CHECK(symlinkat("/dev/cache", tree.fd, "caches/1/device") == 0);
	for (size_t i = 0; i < array_size(files); i++)
		close(openat(tree.fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	out = freopen("/dev/null", "w", stdout);
	msg_to_callback(drop_message, NULL);
}

static void remove_tree(void)
{
	char link[64], dir[64];
	ssize_t n;

	for (size_t i = 0; i < array_size(files); i++)
		unlinkat(tree.fd, files[i], 0);
	unlinkat(tree.fd, "caches/1/device", 0);
	for (const char *const *d =
		     (const char *const[]){ "caches/1", "caches", "devices/3", "devices", NULL };
	     *d; d++)
		unlinkat(tree.fd, *d, AT_REMOVEDIR);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", tree.fd);
	n = readlink(link, dir, sizeof(dir) - 1);
	dir[n > 0 ? n : 0] = '\0';
	rmdir(dir);
}

static void write_file(const char *name, const uint8_t *data, size_t size)
{
	int fd = openat(tree.fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* How much of the input was used. */
static size_t write_files(const uint8_t *data, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < array_size(files); i++) {
		const uint8_t *end = at < size ? memchr(data + at, 0xff, size - at) : NULL;
		size_t n = end ? (size_t)(end - data) - at : size - at;

		write_file(files[i], data + at, n);
		at = min(size, at + n + 1);
	}
	return at;
}

static void check_line(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		FUZZ_CHECK(*s >= 0x20 && *s != 0x7f);
}

static void check_escape(const char *text)
{
	char buf[64];

	check_line(cell_escape(buf, sizeof(buf), text));
	FUZZ_CHECK(memchr(buf, '\0', sizeof(buf)));
}

static void print(const struct cache_facts *c, const struct image_facts *i)
{
	static const struct column columns[] = {
		{ "NAME", "name", CELL_TEXT, 0 },
		{ "STATE", "state", CELL_TEXT, 0 },
		{ "DIRTY", "dirty", CELL_BYTES, 0 },
		{ "AGE", "age", CELL_SECONDS, 0 },
	};
	struct json j = { .out = out };
	struct lcctl options = { 0 };
	struct table table;

	table_init(&table, columns, array_size(columns));
	table_text(&table, i->name);
	table_text(&table, i->state);
	table_number(&table, i->has_dirty, i->dirty);
	table_number(&table, i->has_age, i->age_ms);
	table_text(&table, c->device);
	table_text(&table, c->reason);
	table_number(&table, c->has_dirty, c->dirty);
	table_number(&table, c->has_age, c->age_ms);
	FUZZ_CHECK(table_print(&options, &table));
	json_open(&j, NULL, '[');
	table_json(&table, &j);
	json_close(&j, ']');
	json_end(&j);
	table_free(&table);
}

static void compare(const struct sample *before, const struct sample *now)
{
	uint64_t n;

	for (size_t i = 0; i < now->nr_caches; i++) {
		const struct counters *c = &now->cache[i], *old = sample_cache(before, c->id);

		for (enum counter k = 0; k < NR_COUNTERS; k++)
			sample_rate(old, c, sample_span(before, now) + 1, k, &n);
		sample_latency(old, c, COUNT_WRITE_NS, COUNT_WRITES, &n);
		sample_latency(NULL, c, COUNT_READ_NS, COUNT_READS, &n);
		if (sample_hits(old, c, &n))
			FUZZ_CHECK(n <= 100);
	}
}

static void read_line(const uint8_t *data, size_t size)
{
	struct mountinfo m = { 0 };
	char *line = malloc(size + 1);

	FUZZ_CHECK(line);
	memcpy(line, data, size);
	line[size] = '\0';
	if (mountinfo_parse(line, &m)) {
		FUZZ_CHECK(memchr(m.where, '\0', sizeof(m.where)));
		FUZZ_CHECK(memchr(m.source, '\0', sizeof(m.source)));
		check_escape(m.where);
	}
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample first = { 0 }, second = { 0 };
	struct cache_facts c;
	struct image_facts i;
	size_t used;

	if (tree.fd < 0) {
		make_tree();
		atexit(remove_tree);
	}
	used = write_files(data, size);
	cache_facts(&tree, 1, &c);
	FUZZ_CHECK(image_facts(&tree, 3, &i));
	check_escape(i.name);
	check_escape(c.state);
	(void)cache_migration(&c);
	(void)cache_is_well(&c);
	print(&c, &i);
	FUZZ_CHECK(sample_take(&tree, true, &first));
	write_file("metrics", data + used, size - used);
	FUZZ_CHECK(sample_take(&tree, true, &second));
	compare(&first, &second);
	sample_free(&first);
	sample_free(&second);
	read_line(data, size);
	read_line(data + used, size - used);
	return 0;
}
