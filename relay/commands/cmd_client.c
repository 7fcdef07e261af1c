/* SPDX-License-Identifier: MIT
 *
 * CLIENT: who is connected, what they are called, and how to be rid of them. Replicas are listed as
 * connections with flags=S, as real servers do.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client_state.h"
#include "handlers.h"
#include "names.h"
#include "relay/base/clock.h"
#include "request.h"

enum { LIST_LENGTH_MAX = 8 * 1024 * 1024, FLAGS_MAX = 8 };

/* What CLIENT LIST and CLIENT KILL can ask for. */
enum client_type {
    CLIENT_TYPE_ANY,
    CLIENT_TYPE_NORMAL,
    CLIENT_TYPE_REPLICA,
    CLIENT_TYPE_PUBSUB,
    CLIENT_TYPE_NONE, /* "master": a real type of which a relay has nobody */
};

struct client_filter {
    enum client_type type;
    const struct bytes *ids; /* a client must have one of them, where there are any */
    size_t id_count;
    struct bytes address; /* data NULL: any */
    struct bytes local;
    struct bytes user;
    int64_t age_s_min;
    uint64_t id_spared; /* 0: nobody */
};

static bool parse_type(struct request *request, struct bytes word, enum client_type *type)
{
    static const struct {
        const char *word;
        enum client_type type;
    } types[] = {
        {"normal", CLIENT_TYPE_NORMAL}, {"replica", CLIENT_TYPE_REPLICA},
        {"slave", CLIENT_TYPE_REPLICA}, {"master", CLIENT_TYPE_NONE},
        {"primary", CLIENT_TYPE_NONE},  {"pubsub", CLIENT_TYPE_PUBSUB},
    };
    for (size_t i = 0; i < LENGTH_OF(types); i++) {
        if (bytes_is(word, types[i].word)) {
            *type = types[i].type;
            return true;
        }
    }
    char shown[128];
    write_error(request->writer, "ERR Unknown client type '%s'",
                bytes_printable(word, shown, sizeof(shown)));
    return false;
}

static bool has_id(const struct client_filter *filter, uint64_t id)
{
    uint64_t wanted;
    for (size_t i = 0; i < filter->id_count; i++) {
        if (bytes_to_u64(filter->ids[i], &wanted) && wanted == id)
            return true;
    }
    return filter->id_count == 0;
}

static int64_t connected_ms(const struct peer_status *peer)
{
    return peer->client != NULL ? client_connected_ms(peer->client) : peer->connected_ms;
}

static size_t subscriptions(const struct peer_status *peer, enum pubsub_kind kind)
{
    const struct client_state *client_state =
        peer->client != NULL ? client_state_find(peer->client) : NULL;
    return client_state != NULL ? client_state->subscriber.count[kind] : 0;
}

static enum client_type type_of(const struct peer_status *peer)
{
    if (peer->client == NULL)
        return CLIENT_TYPE_REPLICA;
    if (subscriptions(peer, PUBSUB_CHANNEL) + subscriptions(peer, PUBSUB_PATTERN) > 0)
        return CLIENT_TYPE_PUBSUB;
    return CLIENT_TYPE_NORMAL;
}

/* Who has not said AUTH is the default user, as on a server, whether that one may do anything or not. */
static const char *user_of(const struct peer_status *peer)
{
    const char *user = peer->client != NULL ? client_session(peer->client)->user : peer->user;
    return user[0] != '\0' ? user : USER_DEFAULT;
}

static bool cmd_client_matches(const struct client_filter *filter, const struct peer_status *peer)
{
    if (filter->type == CLIENT_TYPE_NONE || peer->id == filter->id_spared)
        return false;
    if (filter->type != CLIENT_TYPE_ANY && filter->type != type_of(peer))
        return false;
    if (filter->address.data != NULL && !bytes_equal(filter->address, bytes_of(peer->peer)))
        return false;
    if (filter->local.data != NULL && !bytes_equal(filter->local, bytes_of(peer->local)))
        return false;
    if (filter->user.data != NULL && !bytes_equal(filter->user, bytes_of(user_of(peer))))
        return false;
    if ((clock_ms() - connected_ms(peer)) / 1000 < filter->age_s_min)
        return false;
    return has_id(filter, peer->id);
}

/* The letters of redis-server. */
static const char *flags_of(const struct peer_status *peer, char out[FLAGS_MAX])
{
    const struct client_state *client_state =
        peer->client != NULL ? client_state_find(peer->client) : NULL;
    size_t length = 0;
    if (peer->client == NULL)
        out[length++] = 'S';
    if (type_of(peer) == CLIENT_TYPE_PUBSUB)
        out[length++] = 'P';
    if (client_state != NULL && client_state->transaction.is_open)
        out[length++] = 'x';
    if (client_state != NULL &&
        (client_state->waiter.is_blocked || client_state->rewrite.is_blocked))
        out[length++] = 'b';
    if (length == 0)
        out[length++] = 'N';
    out[length] = '\0';
    return out;
}

/* How many commands wait for EXEC; -1: there was no MULTI. */
static int64_t queued_commands(const struct peer_status *peer)
{
    const struct client_state *client_state =
        peer->client != NULL ? client_state_find(peer->client) : NULL;
    return client_state != NULL && client_state->transaction.is_open
               ? (int64_t)client_state->transaction.count
               : -1;
}

struct listing {
    const struct client_filter *filter;
    struct text *out;
};

/* All fields of redis-server 7.2, in its order: redis-py and node-redis are strict about the line
 * and fail where one is missing. Buffers are not counted by client here: theirs are 0. */
static void list_peer(const struct peer_status *peer, void *arg)
{
    struct listing *listing = arg;
    if (!cmd_client_matches(listing->filter, peer))
        return;
    const struct client_session nobody = {.protocol = 2};
    const struct client_session *session =
        peer->client != NULL ? client_session(peer->client) : &nobody;
    int64_t active_ms = peer->client != NULL ? client_active_ms(peer->client) : peer->last_ack_ms;
    const char *last = peer->client != NULL ? client_last_command(peer->client)
                       : peer->acknowledges ? "psync"
                                            : "sync";
    int64_t now_ms = clock_ms();
    char flags[FLAGS_MAX];
    text_format(listing->out, "id=%" PRIu64 " addr=%s laddr=%s fd=0 name=%s", peer->id, peer->peer,
                peer->local, session->name);
    text_format(listing->out, " age=%" PRId64 " idle=%" PRId64 " flags=%s",
                (now_ms - connected_ms(peer)) / 1000, (now_ms - active_ms) / 1000,
                flags_of(peer, flags));
    text_format(listing->out, " db=0 sub=%zu psub=%zu ssub=0 multi=%" PRId64,
                subscriptions(peer, PUBSUB_CHANNEL), subscriptions(peer, PUBSUB_PATTERN),
                queued_commands(peer));
    text_append_string(listing->out,
                       " qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0"
                       " tot-mem=0 events=r");
    text_format(listing->out, " cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s\n", last,
                user_of(peer), session->protocol == 3 ? 3 : 2, session->lib_name,
                session->lib_version);
}

static void reply_listing(struct request *request, const struct client_filter *filter)
{
    struct text out;
    text_init(&out, LIST_LENGTH_MAX);
    struct listing listing = {.filter = filter, .out = &out};
    downstream_each_client(request->commands->downstream, list_peer, &listing);
    downstream_each_replica(request->commands->downstream, list_peer, &listing);
    if (out.failed)
        write_error(request->writer,
                    "ERR the list of connections is too long: filter it by TYPE or ID");
    else
        write_verbatim(request->writer, text_bytes(&out));
    text_fini(&out);
}

void on_client_list(struct request *request)
{
    struct client_filter filter = {.type = CLIENT_TYPE_ANY};
    size_t words = argument_count(request);
    uint64_t id;
    if (words == 4 && argument_is(request, 2, "type")) {
        if (!parse_type(request, argument(request, 3), &filter.type))
            return;
    } else if (words > 3 && argument_is(request, 2, "id")) {
        filter.ids = &request->command->argument[3];
        filter.id_count = words - 3;
        for (size_t i = 0; i < filter.id_count; i++) {
            if (!bytes_to_u64(filter.ids[i], &id) || id == 0) {
                write_error(request->writer, "ERR Invalid client ID");
                return;
            }
        }
    } else if (words != 2) {
        reply_syntax_error(request);
        return;
    }
    reply_listing(request, &filter);
}

void on_client_info(struct request *request)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRIu64, client_id(request->client));
    struct bytes own = bytes_of(digits);
    struct client_filter filter = {.type = CLIENT_TYPE_ANY, .ids = &own, .id_count = 1};
    reply_listing(request, &filter);
}

/* The ids to close: collected first, since nobody may be closed while they are walked over. */
struct victims {
    const struct client_filter *filter;
    uint64_t *ids;
    size_t count;
    size_t capacity;
    bool failed; /* memory was out */
};

static void collect_victim(const struct peer_status *peer, void *arg)
{
    struct victims *victims = arg;
    if (victims->failed || !cmd_client_matches(victims->filter, peer))
        return;
    if (victims->count == victims->capacity) {
        size_t capacity = victims->capacity > 0 ? victims->capacity * 2 : 16;
        uint64_t *ids = realloc(victims->ids, capacity * sizeof(*ids));
        if (ids == NULL) {
            victims->failed = true;
            return;
        }
        victims->ids = ids;
        victims->capacity = capacity;
    }
    victims->ids[victims->count++] = peer->id;
}

/* Closes all that match, and tells how many. The connection of the one who asks is counted and left
 * to the caller (*is_own): it is to hear the answer first. */
static int64_t kill_matching(struct request *request, const struct client_filter *filter,
                             bool *is_own)
{
    struct victims victims = {.filter = filter};
    int64_t killed = 0;
    downstream_each_client(request->commands->downstream, collect_victim, &victims);
    downstream_each_replica(request->commands->downstream, collect_victim, &victims);
    *is_own = false;
    for (size_t i = 0; i < victims.count; i++) {
        if (victims.ids[i] == client_id(request->client)) {
            *is_own = true;
            killed++;
        } else if (downstream_kill(request->commands->downstream, victims.ids[i])) {
            killed++;
        }
    }
    free(victims.ids);
    return killed;
}

struct kill_option {
    const char *name;
    bool (*parse)(struct request *request, const struct bytes *value, struct client_filter *filter);
};

static bool parse_kill_id(struct request *request, const struct bytes *value,
                          struct client_filter *filter)
{
    uint64_t id;
    if (!bytes_to_u64(*value, &id) || id == 0) {
        write_error(request->writer, "ERR client-id should be greater than 0");
        return false;
    }
    filter->ids = value;
    filter->id_count = 1;
    return true;
}

static bool parse_kill_type(struct request *request, const struct bytes *value,
                            struct client_filter *filter)
{
    return parse_type(request, *value, &filter->type);
}

static bool parse_kill_user(struct request *request, const struct bytes *value,
                            struct client_filter *filter)
{
    char shown[128];
    filter->user = *value;
    if (users_find(request->commands->options.users, *value) != NULL ||
        bytes_equal(*value, bytes_of(USER_DEFAULT)))
        return true;
    write_error(request->writer, "ERR No such user '%s'",
                bytes_printable(*value, shown, sizeof(shown)));
    return false;
}

static bool parse_kill_address(struct request *request, const struct bytes *value,
                               struct client_filter *filter)
{
    (void)request;
    filter->address = *value;
    return true;
}

static bool parse_kill_local(struct request *request, const struct bytes *value,
                             struct client_filter *filter)
{
    (void)request;
    filter->local = *value;
    return true;
}

static bool parse_kill_skipme(struct request *request, const struct bytes *value,
                              struct client_filter *filter)
{
    if (!bytes_is(*value, "yes") && !bytes_is(*value, "no")) {
        reply_syntax_error(request);
        return false;
    }
    filter->id_spared = bytes_is(*value, "yes") ? client_id(request->client) : 0;
    return true;
}

static bool parse_kill_maxage(struct request *request, const struct bytes *value,
                              struct client_filter *filter)
{
    if (bytes_to_i64(*value, &filter->age_s_min) && filter->age_s_min > 0)
        return true;
    write_error(request->writer, "ERR maxage is not an integer or out of range");
    return false;
}

static const struct kill_option kill_options[] = {
    {"addr", parse_kill_address},  {"id", parse_kill_id},         {"laddr", parse_kill_local},
    {"maxage", parse_kill_maxage}, {"skipme", parse_kill_skipme}, {"type", parse_kill_type},
    {"user", parse_kill_user},
};

/* "CLIENT KILL option value ...". The filter refers to the words of the command. */
static bool parse_kill(struct request *request, struct client_filter *filter)
{
    for (size_t at = 2; at < argument_count(request); at += 2) {
        const struct kill_option *option = NULL;
        for (size_t i = 0; i < LENGTH_OF(kill_options) && option == NULL; i++) {
            if (argument_is(request, at, kill_options[i].name))
                option = &kill_options[i];
        }
        if (option == NULL || at + 1 == argument_count(request)) {
            reply_syntax_error(request);
            return false;
        }
        if (!option->parse(request, &request->command->argument[at + 1], filter))
            return false;
    }
    return true;
}

/* "CLIENT KILL address:port", the old form: one connection, be it the caller's own. */
static void kill_address(struct request *request)
{
    struct client_filter filter = {.type = CLIENT_TYPE_ANY, .address = argument(request, 2)};
    bool is_own;
    if (kill_matching(request, &filter, &is_own) == 0)
        write_error(request->writer, "ERR No such client");
    else
        reply_ok(request);
    if (is_own)
        client_finish(request->client, CLOSE_KILLED);
}

void on_client_kill(struct request *request)
{
    if (argument_count(request) == 3) {
        kill_address(request);
        return;
    }
    struct client_filter filter = {.type = CLIENT_TYPE_ANY,
                                   .id_spared = client_id(request->client)};
    bool is_own;
    if (!parse_kill(request, &filter))
        return;
    write_integer(request->writer, kill_matching(request, &filter, &is_own));
    if (is_own)
        client_finish(request->client, CLOSE_KILLED);
}

void on_client_id(struct request *request)
{
    write_integer(request->writer, (int64_t)client_id(request->client));
}

void on_client_getname(struct request *request)
{
    if (request->session->name[0] != '\0')
        write_bulk_string(request->writer, request->session->name);
    else
        write_null(request->writer);
}

void on_client_setname(struct request *request)
{
    if (!name_check(argument(request, 2), request->writer))
        return;
    name_copy(request->session->name, argument(request, 2));
    reply_ok(request);
}

void on_client_setinfo(struct request *request)
{
    char shown[128];
    bool is_name = argument_is(request, 2, "lib-name");
    if (!is_name && !argument_is(request, 2, "lib-ver")) {
        write_error(request->writer, "ERR Unrecognized option '%s'",
                    bytes_printable(argument(request, 2), shown, sizeof(shown)));
        return;
    }
    if (!name_is_plain(argument(request, 3))) {
        write_error(request->writer,
                    "ERR %s cannot contain spaces, newlines or special characters.",
                    is_name ? "lib-name" : "lib-ver");
        return;
    }
    name_copy(is_name ? request->session->lib_name : request->session->lib_version,
              argument(request, 3));
    reply_ok(request);
}

/* The client drops the replies; here it is told which. */
void on_client_reply(struct request *request)
{
    struct client_session *session = request->session;
    if (argument_is(request, 2, "on")) {
        session->reply_off = false;
        reply_ok(request);
    } else if (argument_is(request, 2, "off")) {
        session->reply_off = true;
    } else if (argument_is(request, 2, "skip")) {
        session->reply_skip_next = !session->reply_off;
    } else {
        reply_syntax_error(request);
    }
}

/* NO-EVICT and NO-TOUCH: accepted, since there is nothing that they could forbid. */
static void accept_switch(struct request *request)
{
    if (argument_is(request, 2, "on") || argument_is(request, 2, "off"))
        reply_ok(request);
    else
        reply_syntax_error(request);
}

void on_client_no_evict(struct request *request)
{
    accept_switch(request);
}

void on_client_no_touch(struct request *request)
{
    accept_switch(request);
}

void on_client_capa(struct request *request)
{
    reply_ok(request);
}

void on_client_getredir(struct request *request)
{
    write_integer(request->writer, -1);
}

void on_client_unblock(struct request *request)
{
    int64_t id;
    bool has_reason = argument_count(request) == 4;
    bool with_error = has_reason && argument_is(request, 3, "error");
    if (argument_count(request) > 4)
        reply_syntax_error(request);
    else if (has_reason && !with_error && !argument_is(request, 3, "timeout"))
        write_error(request->writer, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    else if (!bytes_to_i64(argument(request, 2), &id))
        write_error(request->writer, "ERR value is not an integer or out of range");
    else
        write_integer(request->writer, id > 0 && waiters_unblock(&request->commands->waiters,
                                                                 (uint64_t)id, with_error));
}
