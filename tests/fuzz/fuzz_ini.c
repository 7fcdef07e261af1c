/* SPDX-License-Identifier: MIT
 *
 * The ini, read from a file in memory, with what stands behind a zero byte as an override: what is
 * wrong is told, and what is right, printed and read again, prints the same. Who may log in is in a table
 * that holds together, and is the same after it has been read again while it runs.
 */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "relay/config/config.h"

enum { TEXT_MAX = 1 << 20, ERROR_LINES_MAX = CONFIG_ERRORS_MAX + 1 };

struct file {
    int descriptor;
    char path[64];
};

static void open_file(struct file *file, struct bytes content)
{
    file->descriptor = memfd_create("ini", MFD_CLOEXEC);
    CHECK(file->descriptor != -1);
    CHECK(write(file->descriptor, content.data, content.length) == (ssize_t)content.length);
    snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->descriptor);
}

static void check_errors(const struct text *errors)
{
    unsigned lines = 0;
    CHECK(errors->length > 0 && errors->data[errors->length - 1] == '\n');
    for (size_t i = 0; i < errors->length; i++)
        lines += errors->data[i] == '\n';
    CHECK(lines <= ERROR_LINES_MAX);
}

static void note_setting(const char *name, const char *value, void *arg)
{
    text_format(arg, "%s=%s\n", name, value);
}

/* The printed form says as much as the read one, but for secrets, which it hides. */
static void go_round(const struct config *config)
{
    struct text printed;
    struct text again;
    struct text errors;
    struct config second;
    struct file file;
    text_init(&printed, TEXT_MAX);
    text_init(&again, TEXT_MAX);
    text_init(&errors, TEXT_MAX);
    config_format(config, &printed);
    config_each(config, note_setting, &errors);
    text_clear(&errors);
    open_file(&file, text_bytes(&printed));
    bool has_secret_file = config->masterauth_file[0] != '\0' ||
                           config->requirepass_file[0] != '\0' ||
                           memmem(printed.data, printed.length, " file:", 6) != NULL;
    if (config_load(&second, file.path, NULL, 0, &errors)) {
        config_format(&second, &again);
        CHECK(bytes_equal(text_bytes(&printed), text_bytes(&again)));
        config_fini(&second);
    } else if (!has_secret_file) {
        fprintf(stderr, "%s", text_string(&errors));
        UNREACHABLE("what was printed cannot be read");
    }
    close(file.descriptor);
    text_fini(&errors);
    text_fini(&again);
    text_fini(&printed);
}

static void check_users(const struct users *users)
{
    CHECK(users->count > 0 && users->count <= USERS_MAX);
    for (size_t i = 0; i < users->count; i++) {
        const struct user *user = &users->all[i];
        struct bytes name = bytes_of(user->name);
        CHECK(user_is_name(name) && users_find(users, name) == user);
        CHECK(user->role > ROLE_NONE && user->role <= ROLE_ADMIN);
        CHECK(users_judge(users, name, bytes_of("no such password")) == NULL || user->needs_none);
    }
}

static bool are_same(const struct users *a, const struct users *b)
{
    bool same = a->count == b->count && a->open_role == b->open_role;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->all[i].name, b->all[i].name) == 0 && a->all[i].role == b->all[i].role &&
               digest_equal(&a->all[i].password, &b->all[i].password);
    return same;
}

static void read_access_again(struct config *config)
{
    struct config fresh;
    struct text errors;
    text_init(&errors, TEXT_MAX);
    CHECK(config_load(&fresh, config->source.file, config->source.overrides,
                      config->source.override_count, &errors));
    config_adopt_access(config, &fresh);
    CHECK(are_same(&config->users, &fresh.users));
    CHECK(config->commands.users == &config->users);
    config_fini(&fresh);
    text_fini(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_at(data, size);
    struct bytes ini = bytes_first(input, bytes_find(input, '\0'));
    char *string = calloc(1, size + 1);
    const char *override = "";
    struct text errors;
    struct config config;
    struct file file;
    CHECK(string != NULL);
    if (ini.length < size) {
        memcpy(string, data + ini.length + 1, size - ini.length - 1);
        string[strcspn(string, "\n")] = '\0'; /* it is quoted in one line */
        override = string;
    }
    open_file(&file, ini);
    text_init(&errors, TEXT_MAX);
    if (config_load(&config, file.path, &override, override[0] != '\0' ? 1 : 0, &errors)) {
        CHECK(errors.length == 0);
        check_users(&config.users);
        go_round(&config);
        read_access_again(&config);
        config_fini(&config);
    } else {
        check_errors(&errors);
    }
    text_fini(&errors);
    close(file.descriptor);
    free(string);
    return 0;
}
