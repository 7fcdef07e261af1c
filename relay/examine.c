/* SPDX-License-Identifier: MIT */
#include "examine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/descriptors.h"
#include "relay/config/secret_files.h"
#include "relay/os/account.h"
#include "relay/status/status.h"
#include "relay/store/store.h"
#include "tls_sides.h"

enum { TAKEN_MAX = 16 * 1024 };

static bool examine_tls(const struct config *config, struct text *why)
{
    struct tls_sides sides;
    if (!tls_sides_open(&sides, config, why))
        return false;
    tls_sides_close(&sides);
    return true;
}

static bool examine_end_line(bool good, struct text *why)
{
    if (!good)
        text_append_string(why, "\n");
    return good;
}

/* What is there must be the account's, whose rights we have; what is missing is made for it, by root. */
static bool examine_rights(const struct account *account, const struct config *config,
                           struct text *why)
{
    const char *log = config->log_file;
    bool good = true;
    if (access(config->store.data_dir, F_OK) == 0)
        good = examine_end_line(account_may_write(account, config->store.data_dir, why), why);
    if (log[0] != '\0' && access(log, F_OK) == 0 &&
        faccessat(AT_FDCWD, log, W_OK, AT_EACCESS) == -1) {
        text_format(why, "cannot open log file '%s': %s: give it to %s\n", log, strerror(errno),
                    account->name);
        good = false;
    }
    return good;
}

struct findings {
    struct text lock;  /* another relay has the data directory */
    struct text ports; /* somebody listens on these */
};

/* With the rights that a start would have by then. */
static bool examine_as(const struct account *account, const struct config *config, bool has_places,
                       struct findings *findings, struct text *why)
{
    account_try_on(account);
    if (has_places && account->name != NULL)
        has_places = examine_rights(account, config, why);
    bool good = has_places && store_probe(&config->store, &findings->lock, why);
    good = downstream_probe(&config->downstream, &findings->ports, why) && good;
    good = status_probe(&config->status, &findings->ports, why) && good;
    account_take_off(account);
    return good;
}

bool examine(struct config *config, struct text *why, struct text *notes)
{
    struct findings findings;
    struct account account;
    text_init(&findings.lock, TAKEN_MAX);
    text_init(&findings.ports, TAKEN_MAX);
    log_set_level(LOG_LEVEL_WARNING);

    bool good = examine_end_line(account_find(&account, config->user, config->group, why) &&
                                     account_check(&account, why),
                                 why);
    if (!good)
        account.name = NULL; /* the rest is seen as who we are */
    bool has_places = config_probe(config, why);
    good = examine_end_line(descriptors_provide(config, why), why) && good;
    good = examine_tls(config, why) && good;
    secret_files_warn_of_open(config);
    good = examine_as(&account, config, has_places, &findings, why) && good;
    if (findings.lock.length > 0) {
        text_format(notes, "%s\n%s", text_string(&findings.lock), text_string(&findings.ports));
    } else if (findings.ports.length > 0) {
        text_append_string(why, text_string(&findings.ports));
        good = false;
    }
    text_fini(&findings.lock);
    text_fini(&findings.ports);
    return good;
}
