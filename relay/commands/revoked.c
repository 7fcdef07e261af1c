/* SPDX-License-Identifier: MIT
 *
 * The users have changed: closes the connections whose user is gone or has another role.
 */
#include <stdlib.h>

#include "command_table.h"
#include "component.h"
#include "relay/commands/commands.h"

/* The connections to close: collected first, because none may be closed while the list is walked. */
struct revoked {
    const struct users *users;
    const struct command_row *psync; /* what a replica must be allowed to use */
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
    /* The role of a client that has not logged in is looked up with each command. */
    if (session->user[0] != '\0' && (user == NULL || (int)user->role != session->role))
        note_revoked(revoked, peer->id);
}

static void revoked_judge_replica(const struct peer_status *peer, void *arg)
{
    struct revoked *revoked = arg;
    const char *name = peer->user[0] != '\0' ? peer->user : USER_DEFAULT;
    const struct user *user = users_find(revoked->users, bytes_of(name));
    if (user == NULL || !command_is_for(revoked->psync, user->role))
        note_revoked(revoked, peer->id);
}

void commands_on_users_changed(struct commands *commands)
{
    struct revoked revoked = {
        .users = commands->options.users,
        .psync = command_find_path(commands->table, bytes_of("psync")),
    };
    /* First: a login that was found right and waits for its time would let a user in who is gone. */
    logins_deny_blocked(&commands->logins);
    downstream_each_client(commands->downstream, judge_client, &revoked);
    downstream_each_replica(commands->downstream, revoked_judge_replica, &revoked);
    for (size_t i = 0; i < revoked.count; i++)
        (void)downstream_expel(commands->downstream, revoked.ids[i], CLOSE_REVOKED);
    free(revoked.ids);
}
