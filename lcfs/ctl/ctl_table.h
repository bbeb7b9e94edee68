/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcfs/ctl/: the table of control files, and what its rows are made of. */
#ifndef LCFS_CTL_CTL_TABLE_H
#define LCFS_CTL_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/ctl/ctl_snapshot.h"
#include "lcfs/ctl/ctl_text.h"
#include "lcfs/ctl/ctl_watch.h"
#include "lcfs/ctl/ctlfs.h"
#include "lcfs/image/image.h"

/* Kinds of directory; the values are part of the node numbers. */
enum ctl_dir_kind {
	CTL_IN_NONE,
	CTL_IN_ROOT,
	CTL_IN_CACHES, /* holds a directory for each cache */
	CTL_IN_CACHE,
	CTL_IN_DEVICES, /* holds a directory for each image that has an id */
	CTL_IN_DEVICE,
	CTL_NR_KINDS
};

#define CTL_REFUSED_MAX 600

/*
 * Stores that may take for ever, at a time; more are refused. Each holds a thread of those that
 * serve everything but reads and writes: a hung backing store must not take them all.
 */
#define CTL_LONG_MAX 4u

struct ctlfs {
	struct imagedir *dir;
	char *source;
	char *cache_path; /* where a cache does not say it */
	char *mount;
	char *config;
	char *version, *transport;
	uid_t uid;
	gid_t gid;
	struct ctl_watch watch;
	const struct ctl_caches_ops *caches;
	void *ctx;
	struct mutex lock;
	char refused[CTL_REFUSED_MAX]; /* why the last cache did not come or go; lock: lock */
	_Atomic unsigned int nr_long;  /* stores of is_long items under way */
};

/* A directory of the tree while a call works in it. */
struct ctl_place {
	struct ctlfs *tree;
	enum ctl_dir_kind kind;
	uint32_t id;	   /* of the cache or the image; 0 where the kind has none */
	struct image *img; /* CTL_IN_DEVICE: with a reference */
	bool is_watch;	   /* -EAGAIN rather than wait for who works on an image */
};

/*
 * The directory that node is or is in; -ENOENT if there is no such node (any more). *p is all zero
 * before; ctl_place_put() follows, also after an error.
 */
int ctl_place_get(struct ctlfs *t, uint64_t node, struct ctl_place *p) must_check;
void ctl_place_put(struct ctl_place *p);
#define CLEANUP_CTL_PLACE __attribute__((cleanup(ctl_place_put)))

/*
 * A row: one file, link or fixed directory. What it can do follows from what is filled in: `child`
 * a directory, `link` a symbolic link, `show` a file that can be read, `store` one that can be
 * written. Each function: 0 or -errno.
 */
struct ctl_item {
	enum ctl_dir_kind kind; /* where it is */
	const char *name;
	const char *unit;	  /* "" where there is none */
	uint64_t min, max;	  /* what store takes */
	const char *const *words; /* what store_text takes, for help; NULL ends */
	uint64_t initial;	  /* its value after a mount, where it has a lasting one */
	const char *help;
	int (*show)(const struct ctl_place *p, const struct ctl_item *item, struct ctl_text *out);
	int (*store)(const struct ctl_place *p, const struct ctl_item *item, uint64_t value);
	/* or what is no number, without the newline at its end */
	int (*store_text)(const struct ctl_place *p, const struct ctl_item *item, const char *text);
	int (*link)(const struct ctl_place *p, struct ctl_text *out);
	enum ctl_dir_kind child;
	int arg;      /* for show and store */
	bool is_long; /* storing takes as long as the backing store needs: see CTL_LONG_MAX */
};

static inline bool ctl_item_can_store(const struct ctl_item *item)
{
	return item->store || item->store_text;
}

/* The row of a node that exists; NULL for a directory itself. */
const struct ctl_item *ctl_node_item(uint64_t node);

extern const struct ctl_item ctl_table[];
extern const size_t ctl_table_rows;

/* of the root */
int ctl_root_show_version(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out) must_check;
int ctl_root_show_transport(const struct ctl_place *p, const struct ctl_item *item,
			    struct ctl_text *out) must_check;
int ctl_root_show_status(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out) must_check;
int ctl_root_show_config(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out) must_check;
int ctl_root_show_json(const struct ctl_place *p, const struct ctl_item *item,
		       struct ctl_text *out) must_check;
int ctl_root_show_metrics(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out) must_check;
int ctl_root_flush(const struct ctl_place *p, const struct ctl_item *item,
		   uint64_t value) must_check;
int ctl_root_drain(const struct ctl_place *p, const struct ctl_item *item,
		   uint64_t value) must_check;
/* Both read as why the last one did not, or an empty line. */
int ctl_root_show_refused(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out) must_check;
int ctl_root_add_cache(const struct ctl_place *p, const struct ctl_item *item,
		       const char *text) must_check;
int ctl_root_remove_cache(const struct ctl_place *p, const struct ctl_item *item,
			  uint64_t value) must_check;
/* What a file that only does something reads as. */
int ctl_show_zero(const struct ctl_place *p, const struct ctl_item *item,
		  struct ctl_text *out) must_check;

/* of caches/<id>/; knobs are of devices/<id>/, too: those of the image's cache. arg: enum
 * cache_knob */
int ctl_cache_show_knob(const struct ctl_place *p, const struct ctl_item *item,
			struct ctl_text *out) must_check;
int ctl_cache_store_knob(const struct ctl_place *p, const struct ctl_item *item,
			 uint64_t value) must_check;
int ctl_cache_flush(const struct ctl_place *p, const struct ctl_item *item,
		    uint64_t value) must_check;
int ctl_cache_drain(const struct ctl_place *p, const struct ctl_item *item,
		    uint64_t value) must_check;
int ctl_cache_clear_stat(const struct ctl_place *p, const struct ctl_item *item,
			 uint64_t value) must_check;
/* arg: enum ctl_cache_number */
int ctl_cache_show_number(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out) must_check;
int ctl_cache_show_state(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out) must_check;
int ctl_cache_show_reason(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out) must_check;
int ctl_cache_show_status(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out) must_check;
int ctl_cache_show_stat(const struct ctl_place *p, const struct ctl_item *item,
			struct ctl_text *out) must_check;
int ctl_cache_link_device(const struct ctl_place *p, struct ctl_text *out) must_check;

/* of devices/<id>/ */
int ctl_device_show_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			     struct ctl_text *out) must_check;
int ctl_device_store_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			      uint64_t value) must_check;
int ctl_device_show_name(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out) must_check;
int ctl_device_show_base_name(const struct ctl_place *p, const struct ctl_item *item,
			      struct ctl_text *out) must_check;
int ctl_device_show_identity(const struct ctl_place *p, const struct ctl_item *item,
			     struct ctl_text *out) must_check;
/* arg: enum ctl_device_number */
int ctl_device_show_number(const struct ctl_place *p, const struct ctl_item *item,
			   struct ctl_text *out) must_check;
int ctl_device_show_state(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out) must_check;
int ctl_device_show_reason(const struct ctl_place *p, const struct ctl_item *item,
			   struct ctl_text *out) must_check;
int ctl_device_show_stat(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out) must_check;
int ctl_device_drain(const struct ctl_place *p, const struct ctl_item *item,
		     uint64_t value) must_check;
int ctl_device_flush(const struct ctl_place *p, const struct ctl_item *item,
		     uint64_t value) must_check;
int ctl_device_show_resolve(const struct ctl_place *p, const struct ctl_item *item,
			    struct ctl_text *out) must_check;
int ctl_device_resolve(const struct ctl_place *p, const struct ctl_item *item,
		       const char *text) must_check;
extern const char *const ctl_resolutions[];
int ctl_device_link_device(const struct ctl_place *p, struct ctl_text *out) must_check;

#endif
