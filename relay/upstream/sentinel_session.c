/* SPDX-License-Identifier: MIT */
#include "sentinel_session.h"

#include <string.h>

#include "login.h"
#include "relay/base/clock.h"
#include "relay/net/conn_push.h"
#include "relay/resp/writer.h"
#include "sentinel_reply.h"

enum { OUT_MAX = 16 * 1024 /* a password of the longest kind fits */, SHOWN_MAX = 160 };

static const char switched[] = "+switch-master";

/* The Sentinel that leads a failover says +switch-master only when all replicas have been told, but from
 * this message on it names the new primary to who asks. */
static const char promoted[] = "+failover-state-reconf-slaves";

void sentinel_session_init(struct sentinel_session *session, const struct sentinel_options *options,
                           const struct sentinel_news *news)
{
    memset(session, 0, sizeof(*session));
    session->options = options;
    session->news = *news;
    text_init(&session->out, OUT_MAX);
}

void sentinel_session_fini(struct sentinel_session *session)
{
    sentinel_session_close(session);
    text_fini(&session->out);
}

void sentinel_session_begin(struct sentinel_session *session, struct conn *conn)
{
    CHECK(session->conn == NULL);
    session->conn = conn;
    session->has_listened = false;
    session->last_io_ms = clock_ms();
}

void sentinel_session_close(struct sentinel_session *session)
{
    if (session->conn != NULL)
        conn_close(&session->conn);
    session->in_length = 0;
    session->is_pinged = false;
    text_clear(&session->out);
}

/* ------------------------------------------------------------------ what is asked */

#define SEND(session, ...)                                                                         \
    write_command(&(struct writer){&(session)->out, 2}, (const char *const[]){__VA_ARGS__},        \
                  LENGTH_OF(((const char *const[]){__VA_ARGS__})))

static void sentinel_session_send_auth(struct sentinel_session *session)
{
    struct writer writer = {&session->out, 2};
    login_write(&writer, "AUTH", session->options->user, session->options->password);
}

static void send_question(struct sentinel_session *session)
{
    SEND(session, "SENTINEL", "get-master-addr-by-name", session->options->name);
}

static void send_subscribe(struct sentinel_session *session)
{
    SEND(session, "SUBSCRIBE", switched, promoted);
}

static void send_unsubscribe(struct sentinel_session *session)
{
    SEND(session, "UNSUBSCRIBE", switched, promoted);
}

/* ------------------------------------------------------------------ what is answered */

/* False: it cannot be believed, and `why` says why. */
typedef bool judge_fn(struct sentinel_session *session, const struct reply *reply,
                      struct text *why);

static bool sentinel_session_judge_auth(struct sentinel_session *session, const struct reply *reply,
                                        struct text *why)
{
    (void)session;
    char shown[SHOWN_MAX];
    if (reply->item[0].kind == REPLY_STATUS)
        return true;
    text_format(why, "AUTH: it answered: %s",
                bytes_printable(reply->item[0].text, shown, sizeof(shown)));
    return false;
}

static bool judge_address(struct sentinel_session *session, const struct reply *reply,
                          struct text *why)
{
    struct primary_address address;
    if (sentinel_reply_of_answer(reply, &address, why) != SENTINEL_REPLY_ADDRESS)
        return false;
    session->news.on_answer(&address, session->news.arg);
    return true;
}

static bool judge_subscription(const struct reply *reply, const char *word, const char *channel,
                               struct text *why)
{
    if (sentinel_reply_is_subscription(reply, word, channel))
        return true;
    char shown[SHOWN_MAX];
    const struct reply_item *item = reply->item;
    text_format(why, "%s: it answered: %s", word,
                item[0].kind == REPLY_ERROR ? bytes_printable(item[0].text, shown, sizeof(shown))
                                            : "something else");
    return false;
}

static bool sentinel_session_always(const struct sentinel_session *session)
{
    (void)session;
    return true;
}

static bool must_log_in(const struct sentinel_session *session)
{
    return !session->has_listened && string_is_given(session->options->password);
}

static bool has_listened(const struct sentinel_session *session)
{
    return session->has_listened;
}

/* One reply a row. Only SENTINEL cannot be said while listening. All is sent at once: a Sentinel works off
 * what came together without a look at anything else, so that the primary cannot move unseen between the
 * answer and the subscription. */
static const struct step {
    bool (*is_needed)(const struct sentinel_session *session);
    void (*send)(
        struct sentinel_session *session); /* NULL: what was sent last has a further reply */
    judge_fn *judge; /* NULL: the reply confirms a change of a subscription: */
    const char *word;
    const char *channel;
} steps[] = {
    {must_log_in, sentinel_session_send_auth, sentinel_session_judge_auth, NULL, NULL},
    {has_listened, send_unsubscribe, NULL, "unsubscribe", switched},
    {has_listened, NULL, NULL, "unsubscribe", promoted},
    {sentinel_session_always, send_question, judge_address, NULL, NULL},
    {sentinel_session_always, send_subscribe, NULL, "subscribe", switched},
    {sentinel_session_always, NULL, NULL, "subscribe", promoted},
};

enum { STEPS = LENGTH_OF(steps) };

/* From `step` on, the first that is needed; STEPS: none. */
static size_t needed_from(const struct sentinel_session *session, size_t step)
{
    while (step < STEPS && !steps[step].is_needed(session))
        step++;
    return step;
}

void sentinel_session_ask(struct sentinel_session *session)
{
    session->step = needed_from(session, 0);
    for (size_t step = session->step; step < STEPS; step = needed_from(session, step + 1)) {
        if (steps[step].send != NULL)
            steps[step].send(session);
    }
    sentinel_session_flush(session);
}

void sentinel_session_ping(struct sentinel_session *session)
{
    if (session->is_pinged)
        return;
    session->is_pinged = true;
    SEND(session, "PING");
    sentinel_session_flush(session);
}

void sentinel_session_flush(struct sentinel_session *session)
{
    (void)conn_push_text(session->conn, &session->out);
    conn_want(session->conn, true, session->out.length > 0);
}

/* ------------------------------------------------------------------ what comes */

static bool session_take_message(struct sentinel_session *session, const struct reply *reply,
                                 struct text *why)
{
    struct primary_address address;
    const struct reply_item *item = reply->item;
    if (bytes_equal(item[2].text, bytes_of(promoted))) {
        session->news.on_promotion(session->news.arg);
        return true;
    }
    if (!bytes_equal(item[2].text, bytes_of(switched))) {
        text_format(why, "it sent a message of a channel that we did not ask for");
        return false;
    }
    enum sentinel_reply sentinel_reply =
        sentinel_reply_of_switch(item[3].text, session->options->name, &address, why);
    if (sentinel_reply == SENTINEL_REPLY_ADDRESS)
        session->news.on_switch(&address, session->news.arg);
    return sentinel_reply != SENTINEL_REPLY_NONSENSE;
}

static bool session_take_answer(struct sentinel_session *session, const struct reply *reply,
                                struct text *why)
{
    char shown[SHOWN_MAX];
    if (session->step < STEPS) {
        const struct step *step = &steps[session->step];
        bool is_good = step->judge != NULL
                           ? step->judge(session, reply, why)
                           : judge_subscription(reply, step->word, step->channel, why);
        if (!is_good)
            return false;
        session->step = needed_from(session, session->step + 1);
        return true;
    }
    if (session->is_pinged && reply->item[0].kind == REPLY_ERROR)
        text_format(why, "PING: it answered: %s",
                    bytes_printable(reply->item[0].text, shown, sizeof(shown)));
    else
        text_format(why, "it sent what nobody asked for");
    return false;
}

/* Messages and PONGs come between the answers, too. */
static bool session_take_reply(struct sentinel_session *session, const struct reply *reply,
                               struct text *why)
{
    if (sentinel_reply_is_message(reply))
        return session_take_message(session, reply, why);
    if (session->is_pinged && sentinel_reply_is_pong(reply)) {
        session->is_pinged = false;
        session->news.on_pong(session->news.arg);
        return true;
    }
    return session_take_answer(session, reply, why);
}

/* All that has come whole. False: `why`. */
static bool session_take_replies(struct sentinel_session *session, struct text *why)
{
    struct reply reply;
    struct bytes input = bytes_at(session->in, session->in_length);
    enum reply_result result;
    while ((result = reply_read(input, &reply)) == REPLY_WHOLE) {
        if (!session_take_reply(session, &reply, why))
            return false;
        input = bytes_skip(input, reply.length);
    }
    memmove(session->in, input.data, input.length);
    session->in_length = input.length;
    if (result == REPLY_NONSENSE)
        text_format(why, "it sent no reply of a server: %s", reply.error);
    return result == REPLY_MORE;
}

static bool session_receive(struct sentinel_session *session, struct text *why)
{
    size_t received;
    CHECK(session->in_length < sizeof(session->in));
    switch (conn_receive(session->conn, session->in + session->in_length,
                         sizeof(session->in) - session->in_length, &received)) {
    case CONN_OK:
        session->in_length += received;
        session->last_io_ms = clock_ms();
        return true;
    case CONN_AGAIN:
        return true;
    case CONN_END:
        text_format(why, "it closed the connection");
        return false;
    case CONN_FAILED:
    case CONN_UNREADABLE:
        text_format(why, "%s", conn_error(session->conn));
        return false;
    }
    UNREACHABLE("an io without a case");
}

enum sentinel_result sentinel_session_receive(struct sentinel_session *session, struct text *why)
{
    if (!session_receive(session, why))
        return SENTINEL_BROKEN;
    if (!session_take_replies(session, why))
        return SENTINEL_REFUSED;
    if (session->step < STEPS)
        return SENTINEL_MORE;
    session->has_listened = true;
    return SENTINEL_ANSWERED;
}
