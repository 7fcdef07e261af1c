/* SPDX-License-Identifier: MIT
 *
 * Connections that the users of now would not have let in: whose user is gone, or has another role.
 */
#include <stdlib.h>

#include "command_table.h"
#include "login.h"
#include "request.h"

/* Whom to close: collected first, since nobody may be closed while they are walked over. */
struct revoked {
    const struct users *users;
    uint64_t *ids;
    size_t count;
};

static void note_revoked(struct revoked *revoked, uint64_t id)
{
    revoked->ids = reallocarray(revoked->ids, revoked->count + 1, sizeof(*revoked->ids));
    CHECK(revoked->ids != NULL);
    revoked->ids[revoked->count++] = id;
}

static void judge_client(const struct peer_status *peer, void *arg)
{
    struct revoked *revoked = arg;
    const struct client_session *session = client_session(peer->client);
    const struct user *user = users_find(revoked->users, bytes_of(session->user));
    /* Who has not logged in is judged anew with each command. */
    if (session->user[0] != '\0' && (user == NULL || (int)user->role != session->role))
        note_revoked(revoked, peer->id);
}

static void judge_replica(const struct peer_status *peer, void *arg)
{
    struct revoked *revoked = arg;
    const char *name = peer->user[0] != '\0' ? peer->user : USER_DEFAULT;
    const struct user *user = users_find(revoked->users, bytes_of(name));
    if (user == NULL || !command_is_for(command_find_path(bytes_of("psync")), user->role))
        note_revoked(revoked, peer->id);
}

void commands_on_users_changed(struct commands *commands)
{
    struct revoked revoked = {.users = commands->options.users};
    logins_deny_waiting(commands);
    downstream_each_client(commands->downstream, judge_client, &revoked);
    downstream_each_replica(commands->downstream, judge_replica, &revoked);
    for (size_t i = 0; i < revoked.count; i++)
        (void)downstream_expel(commands->downstream, revoked.ids[i], CLOSE_REVOKED);
    free(revoked.ids);
}
