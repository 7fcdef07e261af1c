/* SPDX-License-Identifier: MIT
 *
 * ACL, as far as there is one: the users are in the ini, and what they may do is their role.
 */
#include "commands.h"
#include "request.h"

void on_acl_whoami(struct request *request)
{
    const char *user = request->session->user;
    write_bulk_string(request->writer, user[0] != '\0' ? user : USER_DEFAULT);
}

void on_acl_users(struct request *request)
{
    const struct users *users = request->admin->options.users;
    write_array(request->writer, users->count);
    for (size_t i = 0; i < users->count; i++)
        write_bulk_string(request->writer, users->all[i].name);
}
