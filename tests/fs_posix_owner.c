// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may do what, and to whom it belongs. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/fs_posix.h"

static void make_all_kinds(void)
{
	fs_write("mine", "x");
	OK(mkdir("mydir", 0755));
	OK(symlink("x", "mylink"));
	OK(mkfifo("myfifo", 0600));
	OK(mknod("mynod", S_IFREG | 0600, 0));
	OK(link("mine", "mine2"));
}

static void new_objects_are_the_callers(void)
{
	static const char *const names[] = {
		"mine", "mydir", "mylink", "myfifo", "mynod", "mine2"
	};

	fs_as(USER_A, GROUP_A, 0, make_all_kinds);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		SAME(fs_stat(names[i]).st_uid, USER_A);
		SAME(fs_stat(names[i]).st_gid, GROUP_A);
	}
	fs_write("roots", "x");
	SAME(fs_stat("roots").st_uid, 0);
	SAME(fs_stat("roots").st_gid, 0);
}

static void locked_out(void)
{
	struct stat st;

	ERR(open("closed/f", O_RDONLY), EACCES);
	ERR(stat("closed/f", &st), EACCES);
	ERR(chdir("closed"), EACCES);
	ERR(open("secret", O_RDONLY), EACCES);
	ERR(open("public", O_WRONLY), EACCES);
	OK(close((int)OK(open("public", O_RDONLY))));
	ERR(open("roots/new", O_RDWR | O_CREAT, 0644), EACCES);
	ERR(mkdir("roots/new", 0755), EACCES);
	ERR(unlink("roots/f"), EACCES);
	ERR(rename("roots/f", "f"), EACCES);
	ERR(rename("public", "roots/f"), EACCES);
	ERR(symlink("x", "roots/s"), EACCES);
	ERR(truncate("public", 0), EACCES);
	ERR(chmod("public", 0777), EPERM);
	ERR(chown("public", USER_A, GROUP_A), EPERM);
	ERR(utimensat(AT_FDCWD, "public", (struct timespec[2]){ { 1, 1 }, { 1, 1 } }, 0), EPERM);
	ERR(utimensat(AT_FDCWD, "public", NULL, 0), EACCES);
	ERR(access("public", W_OK), EACCES);
	OK(access("public", R_OK));
	ERR(access("secret", R_OK), EACCES);
	ERR(mknod("dev", S_IFCHR | 0600, makedev(1, 3)), EPERM);
	ERR(setxattr("public", "user.x", "y", 1, 0), EACCES);
	ERR(setxattr("public", "trusted.x", "y", 1, 0), EPERM);
}

static void rights_are_kept(void)
{
	OK(mkdir("closed", 0700));
	fs_write("closed/f", "x");
	fs_write("secret", "x");
	OK(chmod("secret", 0600));
	fs_write("public", "x");
	OK(mkdir("roots", 0755));
	fs_write("roots/f", "x");
	fs_as(USER_A, GROUP_A, 0, locked_out);
	HAS("public", "x");
}

static void as_owner(void)
{
	OK(chmod("f", 0640));
	ERR(chown("f", USER_B, (gid_t)-1), EPERM);
	ERR(chown("f", (uid_t)-1, GROUP_B + 1), EPERM);
	OK(chown("f", (uid_t)-1, GROUP_B));
	OK(utimensat(AT_FDCWD, "f", (struct timespec[2]){ { 5, 5 }, { 6, 6 } }, 0));
	SAME(fs_stat("f").st_mtim.tv_nsec, 6);
	/* The bit of a group that one is not in is not to be had. */
	OK(chmod("g", 02755));
	SAME(fs_stat("g").st_mode & 07777, 0755);
}

static void owner_changes(void)
{
	fs_write("f", "x");
	OK(chown("f", USER_A, GROUP_A));
	fs_write("g", "x");
	OK(chown("g", USER_A, GROUP_B + 5));
	fs_as(USER_A, GROUP_A, GROUP_B, as_owner);
	SAME(fs_stat("f").st_gid, GROUP_B);
	SAME(fs_stat("f").st_mode & 07777, 0640);
	OK(lchown("f", USER_B, GROUP_B));
	SAME(fs_stat("f").st_uid, USER_B);
	OK(symlink("f", "s"));
	OK(lchown("s", USER_A, GROUP_A));
	SAME(fs_stat("s").st_uid, USER_A);
	SAME(fs_stat("f").st_uid, USER_B);
}

static void by_group(void)
{
	fs_write("shared/f", "x");
	OK(mkdir("shared/d", 0755));
	OK(rename("shared/f", "shared/g"));
	HAS("shared/g", "x");
	fs_write("shared/rw", "changed");
}

/* The right comes from a supplementary group, of which the request says nothing. */
static void supplementary_groups(void)
{
	OK(mkdir("shared", 0755));
	OK(chmod("shared", 0775));
	OK(chown("shared", 0, GROUP_B));
	fs_write("shared/rw", "x");
	OK(chown("shared/rw", 0, GROUP_B));
	OK(chmod("shared/rw", 0664));
	fs_as(USER_A, GROUP_A, GROUP_B, by_group);
	SAME(fs_stat("shared/g").st_uid, USER_A);
	SAME(fs_stat("shared/g").st_gid, GROUP_A);
	HAS("shared/rw", "changed");
}

static void in_setgid_dir(void)
{
	fs_write("s/f", "x");
	OK(mkdir("s/d", 0755));
	OK(close((int)OK(open("s/x", O_RDWR | O_CREAT, 02775))));
}

static void setgid_directories(void)
{
	OK(mkdir("s", 0777));
	OK(chown("s", 0, GROUP_B));
	OK(chmod("s", 02777));
	fs_as(USER_A, GROUP_A, 0, in_setgid_dir);
	SAME(fs_stat("s/f").st_gid, GROUP_B);
	SAME(fs_stat("s/d").st_gid, GROUP_B);
	SAME(fs_stat("s/d").st_mode & 07777, 02755);
	/* No way to a program of a group that one is not in. */
	SAME(fs_stat("s/x").st_gid, GROUP_B);
	SAME(fs_stat("s/x").st_mode & 02000, 0);
}

static void not_mine(void)
{
	ERR(unlink("t/f"), EPERM);
	ERR(rename("t/f", "t/g"), EPERM);
	ERR(rmdir("t/d"), EPERM);
	fs_write("t/own", "x");
	ERR(rename("t/own", "t/f"), EPERM);
	OK(unlink("t/own"));
}

static void sticky_directories(void)
{
	OK(mkdir("t", 0777));
	OK(chmod("t", 01777));
	fs_write("t/f", "x");
	OK(chown("t/f", USER_B, GROUP_B));
	OK(mkdir("t/d", 0777));
	fs_as(USER_A, GROUP_A, 0, not_mine);
	HAS("t/f", "x");
}

/* POSIX ACLs as the kernel keeps them in xattrs: version 2, then {tag, perm, id} each. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[5];
};

static struct acl make_acl(uint16_t user_perm, uint16_t group_perm, uint16_t mask)
{
	const uint32_t none = (uint32_t)-1;

	return (struct acl){ 2,
			     { { 1, 6, none },		 /* owner */
			       { 2, user_perm, USER_A }, /* USER_A */
			       { 4, group_perm, none },	 /* group */
			       { 16, mask, none },
			       { 32, 0, none } } };
}

static void set_acl(const char *path, const char *name, const struct acl *acl)
{
	if (setxattr(path, name, acl, sizeof(*acl), 0) < 0) {
		if (errno == EOPNOTSUPP)
			fs_skip("no ACLs here");
		fs_fail(__FILE__, __LINE__, name, -errno, 0);
	}
}

static void acl_lets_in(void)
{
	HAS("f", "x");
	ERR(open("f", O_WRONLY), EACCES);
}

static void acl_shuts_out(void)
{
	ERR(open("f", O_RDONLY), EACCES);
}

static void acls_decide(void)
{
	/* The mode shows the mask where the group's right would be: the group itself has none. */
	struct acl acl = make_acl(4, 0, 7), back;

	fs_write("f", "x");
	OK(chown("f", 0, GROUP_B));
	set_acl("f", "system.posix_acl_access", &acl);
	SAME(fs_stat("f").st_mode & 0777, 0670);
	SAME(getxattr("f", "system.posix_acl_access", &back, sizeof(back)), sizeof(back));
	TRUE(memcmp(&acl, &back, sizeof(acl)) == 0);
	fs_as(USER_A, GROUP_A, 0, acl_lets_in);
	fs_as(USER_B, GROUP_B, 0, acl_shuts_out);
	OK(chmod("f", 0600));
	fs_as(USER_A, GROUP_A, 0, acl_shuts_out);
}

static void acls_are_inherited(void)
{
	struct acl acl = make_acl(7, 5, 7), got;

	OK(mkdir("d", 0755));
	set_acl("d", "system.posix_acl_default", &acl);
	umask(077);
	fs_write("d/f", "x");
	/* The directory's ACL takes the umask's place. */
	SAME(fs_stat("d/f").st_mode & 0777, 0640);
	SAME(getxattr("d/f", "system.posix_acl_access", &got, sizeof(got)), sizeof(got));
	SAME(got.e[1].id, USER_A);
	OK(mkdir("d/e", 0777));
	SAME(getxattr("d/e", "system.posix_acl_default", &got, sizeof(got)), sizeof(got));
}

const struct fs_case fs_cases_owner[] = {
	{ "owner_new_objects_are_the_callers", new_objects_are_the_callers, true },
	{ "owner_rights_are_kept", rights_are_kept, true },
	{ "owner_changes", owner_changes, true },
	{ "owner_supplementary_groups", supplementary_groups, true },
	{ "owner_setgid_directories", setgid_directories, true },
	{ "owner_sticky_directories", sticky_directories, true },
	{ "owner_acls_decide", acls_decide, true },
	{ "owner_acls_are_inherited", acls_are_inherited, true },
	{ 0 },
};
