/* SPDX-License-Identifier: MIT */
#include "login.h"

void login_write(struct writer *writer, const char *command, const char *user, const char *password)
{
    const char *const with_user[] = {command, user, password};
    const char *const without[] = {command, password};
    if (string_is_given(user))
        write_command(writer, with_user, LENGTH_OF(with_user));
    else
        write_command(writer, without, LENGTH_OF(without));
}
