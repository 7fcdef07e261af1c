/* SPDX-License-Identifier: MIT */
#include "user_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"

static const char file_form[] = "file:";

static struct user_setting *user_settings_find(const struct user_settings *settings,
                                               const char *name)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->all[i].user.name, name) == 0)
            return &settings->all[i];
    }
    return NULL;
}

static const char *user_settings_place_of(const struct errors *errors, const char *name,
                                          unsigned line, char out[CONFIG_LINE_MAX])
{
    if (line != FOUND_IN_OVERRIDE)
        return errors_place(errors, line, out);
    snprintf(out, CONFIG_LINE_MAX, "--set %s.%s", USERS_SECTION, name);
    return out;
}

/* ---------------------------------------------------------------- reading */

/* What stands behind the role. NULL: it was taken; else what would be right. */
static const char *take_password(struct user_setting *setting, struct bytes written)
{
    if (bytes_is(written, "nopass")) {
        setting->user.needs_none = true;
        return NULL;
    }
    if (bytes_starts(written, file_form)) {
        struct bytes path = bytes_skip(written, sizeof(file_form) - 1);
        if (path.length == 0)
            return "expected the path of a file after file:";
        setting->file = strndup((const char *)path.data, path.length);
        CHECK(setting->file != NULL);
        return NULL;
    }
    if (bytes_starts(written, "sha256:") && !user_password_parse(written, &setting->user.password))
        return "expected 64 hexadecimal digits after sha256:";
    if (!user_password_parse(written, &setting->user.password))
        return "expected a password after the role: the password itself, sha256:DIGITS, file:PATH "
               "or nopass";
    return NULL;
}

/* NULL: it was taken; else what would be right. */
static const char *user_settings_parse(struct user_setting *setting, const char *name,
                                       const char *value)
{
    struct bytes written = bytes_of(value);
    size_t role_length = strcspn(value, " \t");
    if (!user_is_name(bytes_of(name)))
        return "expected a name of 1 to 63 printable characters, without blanks and = : ; # [ ]";
    if (!user_role_parse(bytes_first(written, role_length), &setting->user.role))
        return "expected ROLE PASSWORD, with one of the roles replica, monitor, admin";
    snprintf(setting->user.name, sizeof(setting->user.name), "%s", name);
    size_t blanks = strspn(value + role_length, " \t");
    return take_password(setting, bytes_skip(written, role_length + blanks));
}

static void fini_setting(struct user_setting *setting)
{
    free((char *)(uintptr_t)setting->file);
    explicit_bzero(setting, sizeof(*setting));
}

static void user_settings_keep(struct user_settings *settings, const struct user_setting *setting)
{
    struct user_setting *earlier = user_settings_find(settings, setting->user.name);
    if (earlier != NULL) {
        fini_setting(earlier);
        *earlier = *setting;
        return;
    }
    settings->all = reallocarray(settings->all, settings->count + 1, sizeof(*settings->all));
    CHECK(settings->all != NULL);
    settings->all[settings->count++] = *setting;
}

void user_settings_take(struct user_settings *settings, const char *name, const char *value,
                        unsigned line, struct errors *errors)
{
    char place[CONFIG_LINE_MAX];
    struct user_setting setting = {.line = line};
    const struct user_setting *earlier = user_settings_find(settings, name);
    const char *where = user_settings_place_of(errors, name, line, place);
    const char *expected = user_settings_parse(&setting, name, value);
    if (expected != NULL)
        complain(errors, where, "[users] %s: %s", name, expected);
    else if (earlier != NULL && line != FOUND_IN_OVERRIDE)
        complain(errors, where, "[users] %s: already set on line %u; remove one of the two", name,
                 earlier->line);
    else if (earlier == NULL && settings->count == USERS_MAX - 1)
        complain(errors, where, "[users] %s: there may be at most %d users", name, USERS_MAX - 1);
    else {
        user_settings_keep(settings, &setting);
        return;
    }
    fini_setting(&setting);
}

bool user_settings_has(const struct user_settings *settings, const char *name)
{
    return user_settings_find(settings, name) != NULL;
}

/* ---------------------------------------------------------------- files */

static bool user_settings_read_password(const struct user_setting *setting, struct digest *out,
                                        struct error *error)
{
    char password[SECRET_MAX];
    bool is_good =
        secret_read(setting->file, password, error) &&
        (user_password_parse(bytes_of(password), out) ||
         error_set(error, ERROR_INVALID, "expected 64 hexadecimal digits after sha256:"));
    explicit_bzero(password, sizeof(password));
    return is_good;
}

void user_settings_settle(const struct user_settings *settings, struct users *users,
                          struct errors *errors)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct user_setting *setting = &settings->all[i];
        struct user user = setting->user;
        char place[CONFIG_LINE_MAX];
        struct error error;
        if (setting->file != NULL && !user_settings_read_password(setting, &user.password, &error))
            complain(errors, user_settings_place_of(errors, user.name, setting->line, place),
                     "[users] %s: %s%s: %s", user.name, file_form, setting->file,
                     error_reason(&error));
        else if (!users_add(users, &user))
            CHECK(errors->count > 0); /* of requirepass and a user default, that is told */
        explicit_bzero(&user, sizeof(user));
    }
}

/* ---------------------------------------------------------------- the end */

void user_settings_format(const struct user_settings *settings, struct text *out)
{
    if (settings->count > 0)
        text_format(out, "\n[%s]\n", USERS_SECTION);
    for (size_t i = 0; i < settings->count; i++) {
        const struct user_setting *setting = &settings->all[i];
        bool has_file = setting->file != NULL;
        text_format(out, "%s = %s %s%s\n", setting->user.name, user_role_name(setting->user.role),
                    has_file ? file_form : "",
                    has_file                   ? setting->file
                    : setting->user.needs_none ? "nopass"
                                               : "***");
    }
}

bool user_settings_stand_in_ini(const struct user_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct user_setting *setting = &settings->all[i];
        if (setting->file == NULL && !setting->user.needs_none &&
            setting->line != FOUND_IN_OVERRIDE)
            return true;
    }
    return false;
}

void user_settings_each_file(const struct user_settings *settings, user_file_fn *fn, void *arg)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct user_setting *setting = &settings->all[i];
        char what[sizeof(USERS_SECTION) + USER_NAME_MAX + 4];
        snprintf(what, sizeof(what), "[%s] %s", USERS_SECTION, setting->user.name);
        if (setting->file != NULL)
            fn(what, setting->file, arg);
    }
}

void user_settings_fini(struct user_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        fini_setting(&settings->all[i]);
    free(settings->all);
    *settings = (struct user_settings){.all = NULL};
}
