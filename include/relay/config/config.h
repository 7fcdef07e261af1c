/* SPDX-License-Identifier: MIT
 *
 * All settings (options.h), loaded, told, and changed while they are used.
 *
 *     if (!config_load(&config, file, overrides, count, &errors))
 *         print them, exit with status 1
 *     use config.store, config.upstream, ...
 *     config_fini(&config);
 *
 * Owner: whoever called config_load; the strings in it are the config's, so it outlives the components.
 * Thread: thread 0.
 */
#ifndef RELAY_CONFIG_CONFIG_H
#define RELAY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/commands/commands.h"
#include "relay/config/options.h"
#include "relay/config/value.h"

/* Takes the defaults, then the file (NULL: none), then the overrides, each "SECTION.KEY=VALUE"; reads
 * the files with secrets; checks that all fits together. False: `errors` has a line for each error
 * (CONFIG_ERRORS_MAX at the most), and there is nothing to free. */
MUST_CHECK bool config_load(struct config *config, const char *file, const char *const *overrides,
                            size_t count, struct text *errors);

/* The same; `ini` is read in place of the file of `source`. NULL: the file. */
MUST_CHECK bool config_load_from(struct config *config, const struct config_source *source,
                                 const struct bytes *ini, struct text *errors);

void config_fini(struct config *config);

/* Does this override, as config_load takes it, set a secret? */
bool config_override_is_secret(const char *override);

/* What --check looks at besides: can the data directory and the log file be written? Leaves neither behind.
 * False: `errors`, as above. */
MUST_CHECK bool config_probe(const struct config *config, struct text *errors);

/* An ini with all settings, defaults included; "***" for secrets. */
void config_format(const struct config *config, struct text *out);

struct config_difference {
    const char *section;
    const char *key;
    const char *before; /* as in the ini; a secret is "***" */
    const char *after;
    bool is_live;   /* may change while the relay runs */
    bool is_access; /* is taken over by config_adopt_access */
};

/* Calls `fn` for each setting in which the two differ. */
typedef void config_difference_fn(const struct config_difference *difference, void *arg);
void config_compare(const struct config *before, const struct config *after,
                    config_difference_fn *fn, void *arg);

/* Whoever changes a config while it is used. `may` is asked when all else fits, for what only the outside
 * can tell: files. When it has said yes, the config becomes the one that it was shown. False: `why`. */
struct config_watcher {
    config_difference_fn *tell; /* of each setting that is another now */
    bool (*may)(const struct config *wanted, struct text *why, void *arg); /* NULL: always */
    void *arg;
};

/* CONFIG SET: names as config_each tells them. False: `why` is an error reply without its dash, and nothing
 * has changed. The components are told by the caller. */
MUST_CHECK bool config_set(struct config *config, const struct setting_pair *pairs, size_t count,
                           const struct config_watcher *watcher, struct text *why);

/* Reads the ini again with the overrides of `config`: as config_load, and lowers what the system does not allow.
 * `ini`: what the ini holds, or would hold; NULL: the file itself. */
MUST_CHECK bool config_load_again(const struct config *config, struct config *fresh,
                                  const struct bytes *ini, struct text *errors);

/* Takes over from `fresh` what may change while the relay runs. False: it does not fit; `why`, and nothing
 * has changed. */
MUST_CHECK bool config_adopt(struct config *config, const struct config *fresh,
                             const struct config_watcher *watcher, struct text *why);

/* Takes over from `fresh` users and passwords: [users], requirepass, masteruser, masterauth and the files that
 * they name. `fresh` has what was in force before, and is to be freed when the
 * components use the new. */
void config_adopt_access(struct config *config, struct config *fresh);

/* Each file that [users] names, as "[users] NAME". */
typedef void config_file_fn(const char *what, const char *path, void *arg);
void config_each_user_file(const struct config *config, config_file_fn *fn, void *arg);

/* All settings as CONFIG GET shows them. A key that several sections have is shown bare for downstream,
 * and as "upstream.repl-timeout" for the other. */
void config_each(const struct config *config, commands_setting_fn *fn, void *arg);

#endif
