/* SPDX-License-Identifier: MIT */
#include "relay/os/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/log.h"

static bool find_group(struct account *account, const char *name, struct text *why)
{
    errno = 0;
    const struct group *group = getgrnam(name);
    if (group == NULL) {
        text_format(why, "[relay] group = %s: %s", name,
                    errno != 0 ? strerror(errno) : "there is no such group");
        return false;
    }
    account->gid = group->gr_gid;
    return true;
}

bool account_find(struct account *account, const char *user, const char *group, struct text *why)
{
    *account = (struct account){.name = NULL};
    if (user[0] == '\0')
        return true;
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL || entry->pw_uid == 0) {
        text_format(why, "[relay] user = %s: %s", user,
                    entry != NULL ? "that is root: name one that has fewer rights, or none"
                    : errno != 0  ? strerror(errno)
                                  : "there is no such user");
        return false;
    }
    *account = (struct account){.name = user, .uid = entry->pw_uid, .gid = entry->pw_gid};
    return group[0] == '\0' || find_group(account, group, why);
}

/* ---- what is made while we are root ---- */

/* Gives away what `opened` is, and closes it. Nobody else could have put anything else in its place: it is
 * reached through what was opened, not by its name. */
static bool account_give(const struct account *account, int opened, const char *path,
                         struct text *why)
{
    bool is_given = opened != -1 && fchown(opened, account->uid, account->gid) == 0;
    if (!is_given)
        text_format(why, "%s: cannot be made for %s: %s", path, account->name, strerror(errno));
    if (opened != -1)
        close(opened);
    return is_given;
}

static bool give_data_dir(const struct account *account, const char *path, struct text *why)
{
    if (mkdir(path, 0700) == -1)
        return true; /* it is there, or the store will say why not */
    return account_give(account, open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), path,
                        why);
}

/* A file that is there is left to its owner: whether it can be written is found when it is
 * opened. */
static bool give_log_file(const struct account *account, const char *path, struct text *why)
{
    if (path[0] == '\0')
        return true;
    int opened = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return opened == -1 || account_give(account, opened, path, why);
}

bool account_check(struct account *account, struct text *why)
{
    if (account->name == NULL)
        return true;
    if (geteuid() == account->uid) {
        account->name = NULL;
        return true;
    }
    if (geteuid() != 0) {
        text_format(why,
                    "[relay] user = %s: only root can become another user: start it as root, or as "
                    "%s",
                    account->name, account->name);
        return false;
    }
    if (initgroups(account->name, account->gid) == -1) {
        text_format(why, "[relay] user = %s: cannot take its groups: %s", account->name,
                    strerror(errno));
        return false;
    }
    return true;
}

bool account_prepare(struct account *account, const char *data_dir, const char *log_file,
                     struct text *why)
{
    if (!account_check(account, why))
        return false;
    if (account->name == NULL)
        return true;
    return give_data_dir(account, data_dir, why) && give_log_file(account, log_file, why);
}

/* ---- with its rights, and for good ---- */

/* The group first, while it can still be changed; taken off in the opposite order. */
void account_try_on(const struct account *account)
{
    if (account->name != NULL)
        CHECK(setegid(account->gid) == 0 && seteuid(account->uid) == 0);
}

void account_take_off(const struct account *account)
{
    if (account->name != NULL)
        CHECK(seteuid(0) == 0 && setegid(0) == 0);
}

bool account_open_log(const struct account *account, const char *log_file, struct text *why)
{
    account_try_on(account);
    bool is_open = log_open(log_file, why);
    account_take_off(account);
    if (!is_open && account->name != NULL)
        text_format(why, ": give it to %s", account->name);
    return is_open;
}

static bool is_without_return(const struct account *account)
{
    uid_t uid[3];
    gid_t gid[3];
    CHECK(getresuid(&uid[0], &uid[1], &uid[2]) == 0 && getresgid(&gid[0], &gid[1], &gid[2]) == 0);
    for (int i = 0; i < 3; i++) {
        if (uid[i] != account->uid || gid[i] != account->gid)
            return false;
    }
    return setuid(0) == -1 && seteuid(0) == -1 && (account->gid == 0 || setegid(0) == -1);
}

bool account_may_write(const struct account *account, const char *data_dir, struct text *why)
{
    if (faccessat(AT_FDCWD, data_dir, R_OK | W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    text_format(why, "data-dir %s: %s cannot write in it: %s: chown -R %s %s", data_dir,
                account->name, strerror(errno), account->name, data_dir);
    return false;
}

bool account_become(const struct account *account, const char *data_dir, struct text *why)
{
    if (account->name == NULL)
        return true;
    /* The groups first, which only root may change. Real, effective and saved id, or the one
     * that is left would be a way back. */
    if (setresgid(account->gid, account->gid, account->gid) == -1 ||
        setresuid(account->uid, account->uid, account->uid) == -1) {
        text_format(why, "[relay] user = %s: cannot become that user: %s", account->name,
                    strerror(errno));
        return false;
    }
    if (!is_without_return(account)) {
        text_format(why, "[relay] user = %s: root privileges are still held after dropping them",
                    account->name);
        return false;
    }
    /* Nothing is ever executed; whoever made us do it would gain nothing by a set-user-id program. */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!account_may_write(account, data_dir, why))
        return false;
    log_info("relay: runs as user=%s uid=%ld gid=%ld", account->name, (long)account->uid,
             (long)account->gid);
    return true;
}
