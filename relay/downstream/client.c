/* SPDX-License-Identifier: MIT */
#include "relay/downstream/client.h"

#include <stdio.h>

#include "client_private.h"

uint64_t client_id(const struct client *client)
{
    return client->id;
}

struct client_session *client_session(struct client *client)
{
    return &client->session;
}

const char *client_peer(const struct client *client)
{
    return client->conn != NULL ? conn_peer(client->conn) : "";
}

const char *client_local(const struct client *client)
{
    return client->conn != NULL ? conn_local(client->conn) : "";
}

int64_t client_connected_ms(const struct client *client)
{
    return client->connected_ms;
}

int64_t client_active_ms(const struct client *client)
{
    return client->active_ms;
}

const char *client_last_command(const struct client *client)
{
    return client->last_command[0] != '\0' ? client->last_command : "NULL";
}

void client_set_last_command(struct client *client, const char *name)
{
    snprintf(client->last_command, sizeof(client->last_command), "%s", name);
}

struct writer *client_writer(struct client *client)
{
    client->writer.protocol = client->session.protocol;
    return &client->writer;
}

bool client_is_blocked(const struct client *client)
{
    return client->is_blocked;
}

void *client_kept(const struct client *client)
{
    return client->kept;
}

void client_keep(struct client *client, void *thing, client_gone_fn *gone)
{
    CHECK((thing == NULL) == (gone == NULL));
    client->kept = thing;
    client->gone = gone;
}
