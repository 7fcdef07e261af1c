/* SPDX-License-Identifier: MIT */
#include "relay/config/secret_files.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/bytes.h"
#include "relay/base/log.h"
#include "relay/config/config.h"

#define AT(member) offsetof(struct config, member)

/* The settings that name a file with a secret in it. */
static const struct {
    const char *setting;
    size_t place;
} files[] = {
    {"[upstream] masterauth-file", AT(masterauth_file)},
    {"[upstream] tls-key-file", AT(upstream_tls.key_file)},
    {"[downstream] requirepass-file", AT(requirepass_file)},
    {"[http] requirepass-file", AT(http_requirepass_file)},
    {"[downstream] tls-key-file", AT(downstream_tls.key_file)},
    {"[http] tls-key-file", AT(http_tls.key_file)},
};

static const char *path_of(const struct config *config, size_t place)
{
    return *(const char *const *)(const void *)((const char *)config + place);
}

static void warn_if_open(const char *what, const char *path)
{
    struct stat status;
    if (path[0] == '\0' || stat(path, &status) == -1 || !S_ISREG(status.st_mode) ||
        (status.st_mode & (S_IROTH | S_IWOTH)) == 0)
        return;
    log_warnx(
        "relay: %s %s contains a secret, and every user of this machine can %s it (mode %04o): "
        "chmod o= %s",
        what, path, (status.st_mode & S_IWOTH) != 0 ? "change" : "read",
        (unsigned)(status.st_mode & 07777), path);
}

static void warn_if_user_file_is_open(const char *what, const char *path, void *arg)
{
    (void)arg;
    warn_if_open(what, path);
}

void secret_files_warn_of_open(const struct config *config)
{
    if (config->file_has_secrets)
        warn_if_open("the ini", config->commands.config_file);
    for (size_t i = 0; i < LENGTH_OF(files); i++)
        warn_if_open(files[i].setting, path_of(config, files[i].place));
    config_each_user_file(config, warn_if_user_file_is_open, NULL);
}

static void warn_if_closed(const char *what, const char *path, void *arg)
{
    const struct config *config = arg;
    if (path[0] != '\0' && access(path, R_OK) == -1)
        log_warnx("relay: %s %s: %s cannot read it: changes to it take effect after a restart: %s",
                  what, path, config->user, strerror(errno));
}

void secret_files_warn_of_unreadable(struct config *config)
{
    if (config->user[0] == '\0')
        return;
    warn_if_closed("the ini", config->commands.config_file, config);
    for (size_t i = 0; i < LENGTH_OF(files); i++)
        warn_if_closed(files[i].setting, path_of(config, files[i].place), config);
    config_each_user_file(config, warn_if_closed, config);
}
