// SPDX-License-Identifier: GPL-2.0-or-later
/* lcfs: parse, find the places, fork, put the stack together, serve, take it down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "common/mountinfo.h"
#include "config.h"
#include "lcfs/conffile.h"
#include "lcfs/daemon.h"
#include "lcfs/fuse/mount.h"
#include "lcfs/fuse/session.h"
#include "lcfs/image/image.h"
#include "lcfs/options.h"
#include "lcfs/places.h"
#include "lcfs/process.h"
#include "lcfs/stack.h"
#include "lcfs/stopper.h"
#include "lcfs/watch.h"

/* Exit status of lcfs itself, and what mount(8) wants of a helper. */
enum {
	EXIT_WRONG_USAGE = 2,
	HELPER_WRONG_USAGE = 1,
	HELPER_FAILURE = 32,
};

#define ATTR_TIMEOUT_MS 1000
#define CTLDIR_VISIBLE 1 /* its place in "hidden|visible" */

static int failure_status(const struct options *o)
{
	return o->is_helper ? HELPER_FAILURE : EXIT_FAILURE;
}

/* ------------------------------------------------------------------ the serving process */

static must_check int start_session(struct session **out, const struct daemon *d,
				    const struct stack *s, const struct options *o)
{
	struct session_conf conf = {
		.images = s->dir,
		.ctl = s->ctl,
		.fd = d->fd,
		.clones = d->clone,
		.nr_clones = d->nr_clones,
		.writeback_cache = options_flag(o, OPT_WRITEBACK_CACHE, false),
		.ctl_visible = options_number(o, OPT_CTLDIR) == CTLDIR_VISIBLE,
		.over_uring = options_number(o, OPT_TRANSPORT) == OPTION_TRANSPORT_URING,
		.timeout_ms = ATTR_TIMEOUT_MS,
	};
	char text[512];
	int err = session_start(out, &conf, text, sizeof(text));

	if (err)
		msg_err("%s", text);
	return err;
}

/* A session that was ended by hand leaves a mount behind that answers nobody. */
static void remove_dead_mount(const struct places *p, const struct mountinfo *mine)
{
	struct mountinfo m;

	if (mountinfo_at(p->mnt, &m) && m.dev == mine->dev && fuseumount(p->mnt, true) < 0)
		msg_warn("%s: could not be unmounted", p->mnt);
}

/* The sign of life of the service: all that was answered is durable, or it is known why not. */
static int prove_engine(void *dir)
{
	return imagedir_sync(dir);
}

/* The mount serves, until its end. */
static must_check int serve(struct daemon *d, struct session *session, const struct stack *s,
			    const struct places *p, struct stopper *stopper)
{
	struct mountinfo mine = { 0 };
	bool is_known = mountinfo_at(p->mnt, &mine);
	int err;

	stopper_serving(stopper, session);
	process_warn();
	err = daemon_serving(d);
	if (err) {
		msg_err("%s: whoever mounted it has gone", p->mnt);
		session_stop(session);
	} else {
		watch_serving(stopper->watch, prove_engine, s->dir);
	}
	if (session_wait(session) < 0 && !err && is_known)
		remove_dead_mount(p, &mine);
	stopper_end(stopper);
	return err;
}

static must_check int mount_and_serve(struct daemon *d, const struct stack *s,
				      const struct options *o, const struct places *p,
				      struct stopper *stopper)
{
	bool over_uring = options_number(o, OPT_TRANSPORT) == OPTION_TRANSPORT_URING;
	unsigned int workers = over_uring ? 1 : (unsigned int)options_number(o, OPT_WORKERS);
	struct session *session = NULL;
	int err = daemon_mount(d, workers ? workers : fuse_nr_workers());

	if (!err)
		err = start_session(&session, d, s, o);
	if (!err) {
		err = serve(d, session, s, p, stopper);
		session_free(session);
	}
	prctl(PR_SET_NAME, DAEMON_CLOSING);
	daemon_end(d, err != 0);
	return err;
}

static must_check int run_stack(struct daemon *d, const struct options *o, const struct places *p,
				struct stopper *stopper, struct watch *watch)
{
	struct stack stack;
	int close_err, err = stack_open(&stack, p, o);

	if (err)
		return err;
	err = mount_and_serve(d, &stack, o, p, stopper);
	watch_closing(watch);
	close_err = stack_close(&stack);
	return err ? err : close_err;
}

static must_check int run_daemon(struct daemon *d, const struct options *o, const struct places *p)
{
	struct stopper stopper;
	struct watch watch;
	int err;

	process_prepare();
	/* A manager waits for what it has started, not for what somebody mounts behind that. */
	if (!o->is_foreground)
		unsetenv("NOTIFY_SOCKET");
	err = stopper_start(&stopper, p->mnt, &watch);
	if (!err)
		err = watch_start(&watch, p->mnt, 0);
	if (err) {
		msg_err("no thread for signals and services: %s", strerror(-err));
		return err;
	}
	err = run_stack(d, o, p, &stopper, &watch);
	watch_end(&watch);
	return err;
}

/* ------------------------------------------------------------------ before it */

/* Whether /etc/fuse.conf lets users other than root give others access. */
static bool fuse_conf_allows_other(void)
{
	FILE *f = fopen("/etc/fuse.conf", "re");
	CLEANUP_FREE char *line = NULL;
	bool allows = false;
	size_t room = 0;
	char word[32];

	while (f && getline(&line, &room, f) > 0)
		allows = allows || (sscanf(line, " %31s", word) == 1 &&
				    strcmp(word, "user_allow_other") == 0);
	if (f)
		fclose(f);
	return allows;
}

static must_check int check_fuse(const struct fusemount_conf *m)
{
	if (access("/dev/fuse", F_OK) < 0) {
		msg_err("/dev/fuse: %s: load the module (modprobe fuse), or give the container "
			"the device",
			strerror(errno));
		return -ENODEV;
	}
	if (m->allow_other && geteuid() != 0 && !fuse_conf_allows_other()) {
		msg_err("allow_other: only root may do this, unless /etc/fuse.conf has a line "
			"'user_allow_other'");
		return -EPERM;
	}
	return 0;
}

static void fill_mount(struct fusemount_conf *m, const struct options *o, const struct places *p)
{
	const char *fsname = options_text(o, OPT_FSNAME);

	*m = (struct fusemount_conf){
		.mnt = p->mnt,
		.fsname = fsname ? fsname : p->dir,
		.flags = o->mount_flags,
		.allow_other = options_flag(o, OPT_ALLOW_OTHER, geteuid() == 0),
	};
	m->default_permissions =
		options_flag(o, OPT_DEFAULT_PERMISSIONS, m->allow_other || geteuid() == 0);
}

static must_check int find_places(struct places *p, const struct options *o)
{
	struct places_conf conf = {
		.dir = o->dir,
		.mnt = o->mnt,
		.caches = options_list(o, OPT_CACHE),
		.may_be_nonempty = options_flag(o, OPT_NONEMPTY, false),
	};
	char text[1024];
	int err = places_find(p, &conf, text, sizeof(text));

	if (err)
		msg_err("%s", text);
	return err;
}

static void set_log_level(const struct options *o)
{
	/* as they stand in "error|warning|info|debug" */
	static const enum msg_level levels[] = { MSG_ERR, MSG_WARN, MSG_INFO, MSG_DEBUG };

	msg_set_level(o->is_debug ? MSG_DEBUG : levels[options_number(o, OPT_LOG_LEVEL)]);
}

static int mount_lcfs(const struct options *o)
{
	struct fusemount_conf mount;
	struct daemon daemon;
	struct places places;
	int err;

	set_log_level(o);
	places = (struct places){ .dirfd = -1 };
	err = process_raise_fd_limit();
	if (!err)
		err = find_places(&places, o);
	if (!err) {
		fill_mount(&mount, o, &places);
		err = check_fuse(&mount);
	}
	if (!err && o->action != OPTIONS_FAKE) {
		err = daemon_start(&daemon, &mount, o->is_foreground, failure_status(o));
		if (err)
			msg_err("cannot start: %s", strerror(-err));
		else
			err = run_daemon(&daemon, o, &places);
	}
	places_free(&places);
	return err ? failure_status(o) : EXIT_SUCCESS;
}

/* The command line, then what the configuration file adds. */
static must_check int read_options(struct options *o, int argc, char **argv)
{
	char text[1024] = "out of memory";
	int err = options_parse(o, argc, (const char *const *)argv, text, sizeof(text));

	if (!err && (o->action == OPTIONS_MOUNT || o->action == OPTIONS_FAKE)) {
		err = conffile_apply(o, text, sizeof(text));
		if (!err)
			err = options_complete(o, text, sizeof(text));
	}
	if (err)
		msg_err("%s", text);
	return err;
}

int main(int argc, char **argv)
{
	int status = EXIT_SUCCESS;
	struct options o;

	msg_set_program("lcfs");
	if (read_options(&o, argc, argv) < 0)
		status = o.is_helper ? HELPER_WRONG_USAGE : EXIT_WRONG_USAGE;
	else if (o.action == OPTIONS_HELP)
		options_print_help();
	else if (o.action == OPTIONS_TABLE)
		options_print_list();
	else if (o.action == OPTIONS_VERSION)
		printf("lcfs %s\n", PACKAGE_VERSION);
	else
		status = mount_lcfs(&o);
	options_free(&o);
	return status;
}
