// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal of the power cut test, and what stands in the sectors. */
#include "tests/powercut/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/rng.h"

#define JOURNAL_MAGIC UINT64_C(0x7463726577706c31)

struct sector_head {
	uint64_t magic;
	uint32_t image, number, version, reserved;
};

void pc_die(const char *what, const char *why)
{
	fprintf(stderr, "powercut: %s: %s\n", what, why);
	exit(2);
}

struct pc_journal *pc_journal_map(const char *path, bool is_new)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (is_new ? O_CREAT | O_TRUNC : 0), 0600);
	struct pc_journal *j;

	if (fd < 0 || (is_new && ftruncate(fd, sizeof(*j)) < 0))
		pc_die(path, strerror(errno));
	j = mmap(NULL, sizeof(*j), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (j == MAP_FAILED)
		pc_die(path, strerror(errno));
	close(fd);
	if (is_new) {
		j->magic = JOURNAL_MAGIC;
		j->next_short = FIRST_SHORT;
		j->clock = 1;
	}
	if (j->magic != JOURNAL_MAGIC)
		pc_die(path, "no journal");
	return j;
}

/* Its words differ from sector to sector, and no checksum of a block can hide that. */
void pc_fill(const struct pc_journal *j, uint8_t *sector, uint32_t image, uint32_t number,
	     uint32_t version)
{
	struct sector_head head = { JOURNAL_MAGIC, image, number, version, 0 };
	uint64_t word = rng_mix(j->seed ^ rng_mix((uint64_t)image << 32 | number) ^ version);

	if (version == 0) {
		memset(sector, 0, SECTOR);
		return;
	}
	memcpy(sector, &head, sizeof(head));
	for (unsigned int at = sizeof(head); at < SECTOR; at += sizeof(word)) {
		word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		memcpy(sector + at, &word, sizeof(word));
	}
}

uint32_t pc_version(const struct pc_journal *j, const uint8_t *sector, uint32_t image,
		    uint32_t number)
{
	static const uint8_t zeros[SECTOR];
	uint8_t want[SECTOR];
	struct sector_head head;

	memcpy(&head, sector, sizeof(head));
	if (head.magic != JOURNAL_MAGIC)
		return memcmp(sector, zeros, SECTOR) == 0 ? 0 : VERSION_BAD;
	if (head.image != image || head.number != number || head.version == 0)
		return VERSION_BAD;
	pc_fill(j, want, image, number, head.version);
	return memcmp(sector, want, SECTOR) == 0 ? head.version : VERSION_BAD;
}

uint32_t pc_owner(const struct pc_journal *j, const uint8_t *sector)
{
	struct sector_head head;

	(void)j;
	memcpy(&head, sector, sizeof(head));
	return head.magic == JOURNAL_MAGIC && head.image < IMAGES ? head.image : IMAGES;
}

void pc_describe(const struct pc_journal *j, const uint8_t *sector, char *text, size_t size)
{
	struct sector_head head;
	uint32_t version;

	memcpy(&head, sector, sizeof(head));
	if (head.magic != JOURNAL_MAGIC) {
		snprintf(text, size, "%02x%02x%02x%02x ...", sector[0], sector[1], sector[2],
			 sector[3]);
		return;
	}
	version = pc_version(j, sector, head.image, head.number);
	snprintf(text, size, "version %" PRIu32 " of image %" PRIu32 " sector %" PRIu32 "%s",
		 head.version, head.image, head.number, version == VERSION_BAD ? ", damaged" : "");
}

void pc_name(uint32_t image, uint32_t gen, char *name, size_t size)
{
	if (image < NR_RAW)
		snprintf(name, size, "%s/i%" PRIu32 ".%" PRIu32, gen % 2 ? "a" : "b", image, gen);
	else if (image < FIRST_SHORT)
		snprintf(name, size, "db%" PRIu32, image);
	else if (gen)
		snprintf(name, size, "t/s%" PRIu32, image % NR_SLOTS);
	else
		snprintf(name, size, "t/i%" PRIu32, image);
}
