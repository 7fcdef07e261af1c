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

/* An admin may do everything. For the other roles: each command that the role is enough for. */
static void describe_rights(const struct command_table *table, enum user_role role,
                            struct text *out)
{
    if (role == ROLE_ADMIN) {
        text_append_string(out, "+@all");
        return;
    }
    text_append_string(out, "-@all");
    for (size_t i = 0; i < table->count; i++) {
        const struct command_row *row = &table->rows[i];
        if (row->children == NULL && command_is_for(row, role))
            text_format(out, " +%s", row->name);
        for (size_t k = 0; row->children != NULL && k < row->children->count; k++) {
            const struct command_row *child = &row->children->rows[k];
            if (command_is_for(child, role))
                text_format(out, " +%s", child->name);
        }
    }
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
