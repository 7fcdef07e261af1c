/* SPDX-License-Identifier: MIT */
#include "relay/config/ini_rewriter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/base/thread.h"
#include "relay/config/config.h"
#include "relay/net/loop.h"
#include "relay/os/file.h"
#include "rewrite.h"
#include "settings.h"

enum { VALUE_MAX = 64 * 1024, ERRORS_MAX = 64 * 1024, INI_MAX = 1024 * 1024 };

struct ini_rewriter {
    struct notifier *done; /* rung by the thread */
    ini_rewritten_fn *fn;
    void *arg;
    bool is_under_way;

    /* Of the one under way: the thread's until it has rung, and joined. */
    pthread_t thread;
    char *path;
    struct text before;
    struct text after;
    size_t count; /* of the settings in it that change */
    bool is_good;
    struct error error;
};

/* ---------------------------------------------------------------- what is to be written */

struct changes {
    struct rewrite_change all[REWRITE_CHANGES_MAX];
    struct text values[REWRITE_CHANGES_MAX];
    size_t count;
};

/* Collects the settings for which ini and --set would give another value at the next start. */
static void find_changes(struct changes *changes, const struct config *config,
                         const struct config *next)
{
    changes->count = 0;
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        if ((setting->flags & SETTING_LIVE) == 0 || setting_is_equal(setting, config, next))
            continue;
        struct text *value = &changes->values[changes->count];
        text_init(value, VALUE_MAX);
        setting_append_value(setting, config, value);
        changes->all[changes->count++] = (struct rewrite_change){
            .section = setting->section,
            .key = setting->key,
            .value = text_string(value),
        };
    }
}

static void free_changes(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        text_fini(&changes->values[i]);
}

static void warn_of_override(const struct config_difference *difference, void *arg)
{
    (void)arg;
    if (difference->is_live)
        log_warnx("config: CONFIG REWRITE writes [%s] %s = %s, but the next start uses %s: --set "
                  "overrides the ini",
                  difference->section, difference->key, difference->before, difference->after);
}

/* The new text must be one with which the relay can start. */
static bool is_good_ini(const struct config *config, struct bytes ini, struct text *why)
{
    struct config next;
    if (!config_load_again(config, &next, &ini, why))
        return false;
    config_compare(config, &next, warn_of_override, NULL);
    config_fini(&next);
    return true;
}

/* ---------------------------------------------------------------- one rewrite */

static void *replace_ini(void *arg)
{
    struct ini_rewriter *rewriter = arg;
    thread_set_name("ini-writer");
    const struct bytes before = text_bytes(&rewriter->before);
    const struct file_replacement replacement = {
        .content = text_bytes(&rewriter->after),
        .is_durable = true,
        .keeps_owner = true,
        .replaces = &before,
    };
    rewriter->is_good = file_replace(AT_FDCWD, rewriter->path, &replacement, &rewriter->error);
    notifier_wake(rewriter->done);
    return NULL;
}

static void format_refusal(struct text *why, const char *reason)
{
    text_format(why, "ERR Rewriting config file: %.*s", (int)strcspn(reason, "\n"), reason);
}

static void forget_texts(struct ini_rewriter *rewriter)
{
    free(rewriter->path);
    rewriter->path = NULL;
    text_fini(&rewriter->before);
    text_fini(&rewriter->after);
}

/* `path` is the file itself, so that a symbolic link to it stays one. */
static bool start_replacing(struct ini_rewriter *rewriter, const char *path, struct text *reason)
{
    rewriter->path = strdup(path);
    CHECK(rewriter->path != NULL && !rewriter->after.failed);
    rewriter->is_under_way = thread_start(&rewriter->thread, replace_ini, rewriter);
    if (!rewriter->is_under_way)
        text_format(reason, "cannot start a thread: %s", strerror(errno));
    return rewriter->is_under_way;
}

static enum commands_rewrite compose(struct ini_rewriter *rewriter, const struct config *config,
                                     bool may_begin, struct text *reason)
{
    /* Read once: what is compared, what is changed and what is replaced are the same bytes. */
    const struct bytes before = text_bytes(&rewriter->before);
    struct config next;
    if (!config_load_again(config, &next, &before, reason))
        return COMMANDS_REWRITE_REFUSED;
    struct changes changes;
    enum commands_rewrite outcome = COMMANDS_REWRITE_NOT_NEEDED;
    find_changes(&changes, config, &next);
    rewriter->count = changes.count;
    if (changes.count > 0 && !may_begin) {
        outcome = COMMANDS_REWRITE_NEEDED;
    } else if (changes.count > 0) {
        rewrite_ini(before, changes.all, changes.count, &rewriter->after);
        bool is_begun = is_good_ini(config, text_bytes(&rewriter->after), reason) &&
                        start_replacing(rewriter, next.commands.config_file, reason);
        outcome = is_begun ? COMMANDS_REWRITE_BEGUN : COMMANDS_REWRITE_REFUSED;
    }
    free_changes(&changes);
    config_fini(&next);
    return outcome;
}

enum commands_rewrite ini_rewriter_begin(struct ini_rewriter *rewriter, const struct config *config,
                                         bool may_begin, struct text *why)
{
    CHECK(!rewriter->is_under_way);
    if (config->source.file == NULL) {
        text_append_string(why, "ERR The server is running without a config file");
        return COMMANDS_REWRITE_REFUSED;
    }
    struct text reason;
    struct error error;
    enum commands_rewrite outcome = COMMANDS_REWRITE_REFUSED;
    text_init(&reason, ERRORS_MAX);
    text_init(&rewriter->before, INI_MAX);
    text_init(&rewriter->after, 2 * INI_MAX);
    if (file_read(AT_FDCWD, config->source.file, &rewriter->before, &error))
        outcome = compose(rewriter, config, may_begin, &reason);
    else
        text_append_string(&reason, error_reason(&error));
    if (outcome == COMMANDS_REWRITE_REFUSED) {
        format_refusal(why, text_string(&reason));
        log_warnx("config: CONFIG REWRITE: %s", text_string(why));
    }
    if (outcome != COMMANDS_REWRITE_BEGUN)
        forget_texts(rewriter);
    text_fini(&reason);
    return outcome;
}

/* ---------------------------------------------------------------- its end */

/* What the thread wrote is seen from here on: joining it comes after all of that. */
static void end_rewrite(struct ini_rewriter *rewriter, struct text *why)
{
    CHECK(pthread_join(rewriter->thread, NULL) == 0);
    rewriter->is_under_way = false;
    if (rewriter->is_good) {
        log_info("config: CONFIG REWRITE changed %zu settings in %s", rewriter->count,
                 rewriter->path);
    } else {
        format_refusal(why, error_reason(&rewriter->error));
        log_warnx("config: CONFIG REWRITE: %s", text_string(why));
    }
    forget_texts(rewriter);
}

static void on_replaced(void *arg)
{
    struct ini_rewriter *rewriter = arg;
    struct text why;
    text_init(&why, ERRORS_MAX);
    end_rewrite(rewriter, &why);
    rewriter->fn(why.length > 0 ? text_string(&why) : NULL, rewriter->arg);
    text_fini(&why);
}

struct ini_rewriter *ini_rewriter_new(struct loop *loop, ini_rewritten_fn *fn, void *arg)
{
    struct ini_rewriter *rewriter = calloc(1, sizeof(*rewriter));
    if (rewriter == NULL)
        return NULL;
    rewriter->fn = fn;
    rewriter->arg = arg;
    rewriter->done = notifier_new(loop, on_replaced, rewriter);
    if (rewriter->done == NULL)
        ini_rewriter_free(&rewriter);
    return rewriter;
}

bool ini_rewriter_is_busy(const struct ini_rewriter *rewriter)
{
    return rewriter->is_under_way;
}

void ini_rewriter_free(struct ini_rewriter **where)
{
    struct ini_rewriter *rewriter = *where;
    *where = NULL;
    if (rewriter == NULL)
        return;
    if (rewriter->is_under_way) {
        struct text why;
        text_init(&why, ERRORS_MAX);
        end_rewrite(rewriter, &why);
        text_fini(&why);
    }
    if (rewriter->done != NULL)
        notifier_free(&rewriter->done);
    free(rewriter);
}
