// SPDX-License-Identifier: GPL-2.0-or-later
/* The file .faultdir. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "tests/stand/faultdir/faultdir.h"

void faultdir_ctl_stat(struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = FAULT_CTL_INO;
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
}

void faultdir_ctl_open(fuse_req_t req, struct fuse_file_info *fi)
{
	char *text = rules_text();

	if (!text) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)text;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

void faultdir_ctl_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi)
{
	const char *text = (const char *)(uintptr_t)fi->fh;
	size_t len = strlen(text);

	if ((size_t)off >= len)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + off, min(size, len - (size_t)off));
}

void faultdir_ctl_write(fuse_req_t req, const char *buf, size_t size)
{
	CLEANUP_FREE char *text = strndup(buf, size);
	char *rest, *line;
	bool is_good = text != NULL;

	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line && is_good;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strcmp(line, "lose") == 0)
			node_lose_all();
		else
			is_good = rules_command(line);
	}
	if (is_good)
		fuse_reply_write(req, size);
	else
		fuse_reply_err(req, EINVAL);
}

void faultdir_ctl_release(fuse_req_t req, struct fuse_file_info *fi)
{
	free((void *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
