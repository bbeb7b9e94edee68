// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks whether what a power cut has left is what the journal and the promises allow. */
#include "tests/powercut/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "tests/fake/rng.h"
#include "tests/powercut/view.h"

static struct view views[IMAGES];
static unsigned int nr_complaints;

void pc_complain(uint32_t image, const char *format, ...)
{
	va_list ap;

	if (++nr_complaints > 20)
		return;
	fprintf(stderr, "image %" PRIu32 ": ", image);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
}

/* ------------------------------------------------------------------ promises */

static void read_marks(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[128];

	if (!f)
		pc_die(path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		uint32_t image = 0, op = 0, gen = 0;
		struct view *v;
		char kind;

		if (sscanf(line, "%c %" SCNu32 " %" SCNu32 " %" SCNu32, &kind, &image, &op, &gen) <
			    2 ||
		    image >= IMAGES)
			continue;
		v = &views[image];
		if (kind == 's') {
			v->due = max(v->due, op);
			v->due_gen = max(v->due_gen, gen);
		}
		v->may_be_gone |= kind == 'u';
		v->must_be_gone |= kind == 'g';
	}
	fclose(f);
}

/* ------------------------------------------------------------------ what is there */

static ssize_t read_whole(int fd, uint8_t *buf, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, buf + done, bytes - done, (off_t)done);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Reads the file into the view; bad sectors are complained about. */
static void read_image(const struct pc_journal *j, uint32_t image, int fd)
{
	static uint8_t buf[IMAGE_SECTORS * SECTOR];
	struct view *v = &views[image];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || st.st_size % SECTOR || st.st_size > (off_t)sizeof(buf)) {
		pc_complain(image, "size %jd", (intmax_t)st.st_size);
		return;
	}
	v->size = (uint32_t)(st.st_size / SECTOR);
	n = read_whole(fd, buf, (size_t)st.st_size);
	if (n != st.st_size) {
		pc_complain(image, "a read of %jd bytes gives %zd", (intmax_t)st.st_size, n);
		return;
	}
	for (uint32_t s = 0; s < v->size; s++) {
		char text[120];

		v->version[s] = pc_version(j, buf + s * SECTOR, image, s);
		if (v->version[s] != VERSION_BAD)
			continue;
		pc_describe(j, buf + s * SECTOR, text, sizeof(text));
		pc_complain(image, "sector %" PRIu32 " holds foreign bytes: %s", s, text);
	}
}

/* Whose file this is, where names are taken over: by what is in it. */
static uint32_t owner_of(const struct pc_journal *j, int fd)
{
	uint8_t buf[SECTOR];

	return pread(fd, buf, sizeof(buf), 0) == (ssize_t)sizeof(buf) ? pc_owner(j, buf) : IMAGES;
}

static bool is_known(const struct pc_image *img)
{
	return img->nr_ops || img->base_exists;
}

/* May there be a file without anything of what was written to it? */
static bool may_be_empty(const struct pc_journal *j, uint32_t slot)
{
	for (uint32_t i = FIRST_SHORT; i < IMAGES; i++) {
		if (i % NR_SLOTS == slot && j->image[i].gen && !j->image[i].base_exists &&
		    views[i].due < 2)
			return true;
	}
	return false;
}

static int try_name(const struct pc_journal *j, uint32_t image, uint32_t gen, int dir)
{
	bool is_slot = image >= FIRST_SHORT && gen;
	uint32_t owner;
	char name[32];
	int fd;

	pc_name(image, gen, name, sizeof(name));
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno != ENOENT)
			pc_complain(image, "%s: %s", name, strerror(errno));
		return -1;
	}
	owner = is_slot ? owner_of(j, fd) : image;
	if (owner == image)
		return fd;
	if (owner == IMAGES && !may_be_empty(j, image % NR_SLOTS))
		pc_complain(image, "%s is nobody's", name);
	close(fd);
	return -1;
}

/* By any of its names, and by one only. */
static void find_image(const struct pc_journal *j, uint32_t image, int dir)
{
	const struct pc_image *img = &j->image[image];
	struct view *v = &views[image];

	for (uint32_t gen = 0; gen <= img->gen; gen++) {
		int fd = try_name(j, image, gen, dir);

		if (fd < 0)
			continue;
		if (v->exists)
			pc_complain(image, "has two names, of %" PRIu32 " and %" PRIu32 " renames",
				    v->gen, gen);
		v->exists = true;
		v->gen = gen;
		read_image(j, image, fd);
		close(fd);
	}
	if (v->exists && !is_known(img))
		pc_complain(image, "is there and was never made");
	if (v->exists && v->must_be_gone)
		pc_complain(image, "has come back");
	if (v->exists && v->gen < max(v->due_gen, img->base_gen))
		pc_complain(image, "has the name of %" PRIu32 " renames, promised were %" PRIu32,
			    v->gen, max(v->due_gen, img->base_gen));
	if (!v->exists && !v->may_be_gone && (v->due || img->base_exists))
		pc_complain(image, "is not there");
}

/* ------------------------------------------------------------------ all images together */

/* Is it for certain in that log? To a file that the log does not know all but writes is done past
 * it; that comes before the next write to that file, but not before those to others. */
static bool is_of_log(const struct pc_journal *j, const struct pc_op *op, uint32_t log)
{
	return op->kind == PC_WRITE && (!j->has_moves || (op->home == log && !op->is_loose));
}

/* The position that img must have reached because something of the log that was issued at that time
 * is there. */
static uint32_t needed(const struct pc_journal *j, const struct pc_image *img, uint32_t log,
		       uint64_t time)
{
	uint32_t needed = 0;

	for (uint32_t n = 0; n < img->nr_ops; n++) {
		const struct pc_op *op = &img->ops[n];

		if (!op->answered || op->answered >= time)
			break;
		if (is_of_log(j, op, log))
			needed = n + 1;
	}
	return 2 * needed;
}

/* When the last operation was issued which is there and went to that log; 0: there is none. */
static uint64_t last_issued(const struct pc_journal *j, uint32_t image, uint32_t log)
{
	const struct pc_image *img = &j->image[image];

	for (uint32_t n = (views[image].position + 1) / 2; n; n--) {
		if (is_of_log(j, &img->ops[n - 1], log))
			return img->ops[n - 1].issued;
	}
	return 0;
}

/* The image is raised to what b's position demands. Returns whether it was. */
static bool raise_one(const struct pc_journal *j, uint32_t image, uint32_t other, uint32_t log)
{
	struct view *v = &views[image];
	uint64_t time = last_issued(j, other, log);
	uint32_t want;

	if (time == 0)
		return false;
	want = needed(j, &j->image[image], log, time);
	if (want <= v->position)
		return false;
	want = pc_next_valid(v, want);
	if (want == v->nr_positions) {
		pc_complain(image,
			    "is at position %" PRIu32 "/2, image %" PRIu32 " at %" PRIu32
			    "/2 of what was issued later",
			    v->position, other, views[other].position);
		return false;
	}
	v->position = want;
	return true;
}

/* The lowest positions that fit together. */
static void fit_together(const struct pc_journal *j)
{
	bool has_changed = true;

	while (has_changed && !nr_complaints) {
		has_changed = false;
		for (uint32_t i = 0; i < IMAGES; i++) {
			for (uint32_t k = 0; k < IMAGES && views[i].count; k++) {
				if (k == i || !views[k].count)
					continue;
				for (uint32_t log = 1; log <= (j->has_moves ? 2 : 1); log++)
					has_changed |= raise_one(j, i, k, log);
			}
		}
	}
}

/* ------------------------------------------------------------------ the file of a database */

static uint32_t version_due(const struct pc_image *img, uint32_t block, uint32_t due)
{
	uint32_t version = 0;

	for (uint32_t k = 1; k <= due; k++) {
		const struct pc_op *op = &img->ops[k - 1];

		if (op->kind == PC_WRITE && op->first <= block * SECTORS_A_BLOCK &&
		    op->first + op->count > block * SECTORS_A_BLOCK)
			version = k;
	}
	return version;
}

/* On another filesystem: no order is promised but that of syncs, and no block is torn. */
static void check_db(const struct pc_journal *j, int dir)
{
	const struct pc_image *img = &j->image[FIRST_DB];
	struct view *v = &views[FIRST_DB];
	int fd = try_name(j, FIRST_DB, 0, dir);

	v->exists = fd >= 0;
	if (!v->exists) {
		if (v->due)
			pc_complain(FIRST_DB, "is not there");
		return;
	}
	read_image(j, FIRST_DB, fd);
	close(fd);
	if (v->due && v->size < img->ops[v->due - 1].size)
		pc_complain(FIRST_DB, "has %" PRIu32 " sectors", v->size);
	for (uint32_t b = 0; b < v->size / SECTORS_A_BLOCK; b++) {
		const uint32_t *found = v->version + b * SECTORS_A_BLOCK;
		uint32_t due = version_due(img, b, v->due);

		if (found[0] < due)
			pc_complain(FIRST_DB,
				    "block %" PRIu32 " is version %" PRIu32
				    ", promised was %" PRIu32,
				    b, found[0], due);
		for (uint32_t i = 1; i < SECTORS_A_BLOCK; i++) {
			if (found[i] != found[0])
				pc_complain(FIRST_DB, "block %" PRIu32 " is mixed", b);
		}
	}
}

/* ------------------------------------------------------------------ the program */

static void look(const struct pc_journal *j, const char *marks, int dir)
{
	read_marks(marks);
	for (uint32_t i = 0; i < IMAGES; i++) {
		if (i == FIRST_DB)
			continue;
		find_image(j, i, dir);
		if (views[i].exists)
			pc_find_positions(j, &views[i], i);
	}
	fit_together(j);
}

static uint64_t sum_of_all(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < IMAGES; i++) {
		const struct view *v = &views[i];

		if (i == FIRST_DB || !v->exists)
			continue;
		sum = rng_mix(sum ^ ((uint64_t)i << 32 | v->gen)) ^ v->size;
		for (uint32_t s = 0; s < v->size; s++)
			sum = rng_mix(sum ^ v->version[s]);
	}
	return sum;
}

int pc_check(struct pc_journal *j, const char *marks, int dir, int db_dir)
{
	look(j, marks, dir);
	if (db_dir >= 0)
		check_db(j, db_dir);
	printf("sum %016" PRIx64 "\n", sum_of_all());
	return nr_complaints != 0;
}

int pc_settle(struct pc_journal *j, const char *marks, int dir)
{
	look(j, marks, dir);
	for (uint32_t i = 0; i < IMAGES; i++) {
		struct pc_image *img = &j->image[i];
		const struct view *v = &views[i];

		if (i == FIRST_DB)
			continue;
		img->first_version += img->nr_ops;
		img->nr_ops = 0;
		img->nr_answered = 0;
		img->gen = v->gen;
		img->base_gen = v->gen;
		img->base_size = v->size;
		img->base_exists = v->exists;
		img->is_gone = !v->exists;
		memcpy(img->base, v->version, sizeof(img->base));
	}
	return nr_complaints != 0;
}
