/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What unlink and rename share; see names.c. */
#ifndef LCFS_IMAGE_NAMES_H
#define LCFS_IMAGE_NAMES_H

#include "common/compiler.h"
#include "lcfs/image/image.h"
#include "lcfs/ondisk/codec.h"

/* The image's last name is about to go, and then: has not gone; has gone from the directory open at
 * parent. Inside the image, no lock held; they wait for the log. */
int last_name_goes(struct image *img, enum op_intent how, const char *path) must_check;
void last_name_stays(struct image *img);
void last_name_went(struct image *img, int parent);
/* n 1, and then -1: in between what is known of the image's name may be ahead of the file's, or
 * behind it; it is not opened by its name. */
void name_ahead(struct image *img, int n);
/* One of several names of img went: path, NULL if it cannot be told. Before image_touched(). */
void one_name_went(struct image *img, const char *path);
/* O_PATH descriptor of what has this name, and its attributes. */
int open_entry(int dirfd, const char *name, struct stat *st) must_check;

#endif
