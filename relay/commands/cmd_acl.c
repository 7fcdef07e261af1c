/* SPDX-License-Identifier: MIT
 *
 * ACL, as far as there is one: the users are in the ini, and what they may do is their role.
 */
#include "handlers.h"
#include "relay/base/text.h"
#include "request.h"

enum { ACL_LINE_MAX = 16 * 1024 };

void on_acl_whoami(struct request *request)
{
    const char *user = request->session->user;
    write_bulk_string(request->writer, user[0] != '\0' ? user : USER_DEFAULT);
}

struct rights {
    enum user_role role;
    struct text *out;
};

static void describe_right(const struct command_row *row, void *arg)
{
    struct rights *rights = arg;
    if (row->children == NULL && command_is_for(row, rights->role))
        text_format(rights->out, " +%s", row->name);
}

/* An admin may do everything. For the other roles: each command that the role is enough for. */
static void describe_rights(const struct command_table *table, enum user_role role,
                            struct text *out)
{
    if (role == ROLE_ADMIN) {
        text_append_string(out, "+@all");
        return;
    }
    text_append_string(out, "-@all");
    struct rights rights = {role, out};
    command_each(table, describe_right, &rights);
}

void on_acl_list(struct request *request)
{
    const struct users *users = request->commands->options.users;
    write_array(request->writer, users->count);
    for (size_t i = 0; i < users->count; i++) {
        const struct user *user = &users->all[i];
        struct text line;
        text_init(&line, ACL_LINE_MAX);
        text_format(&line, "user %s on ", user->name);
        text_append_string(&line, user->needs_none ? "nopass" : "#");
        for (size_t k = 0; !user->needs_none && k < DIGEST_LENGTH; k++)
            text_format(&line, "%02x", (unsigned)user->password.byte[k]);
        text_append_string(&line, " ~* &* ");
        describe_rights(request->commands->table, user->role, &line);
        write_bulk(request->writer, text_bytes(&line));
        text_fini(&line);
    }
}

void on_acl_users(struct request *request)
{
    const struct users *users = request->commands->options.users;
    write_array(request->writer, users->count);
    for (size_t i = 0; i < users->count; i++)
        write_bulk_string(request->writer, users->all[i].name);
}
