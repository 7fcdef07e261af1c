/* SPDX-License-Identifier: MIT */
#include "relay/upstream/sentinel.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/log_repeat.h"
#include "relay/base/text.h"
#include "relay/net/conn.h"
#include "relay/net/loop.h"
#include "relay/resp/reply.h"
#include "relay/resp/writer.h"
#include "sentinel_reply.h"

enum {
    WHY_MAX = 512,
    OUT_MAX = 16 * 1024, /* a password of the longest kind fits */
    KEEPALIVE_S = 60,
    ANSWER_MS_MAX = 2000,      /* to connect and to tell the address */
    SILENCE_MS_MAX = 4000,     /* while listening; a PING goes out every second */
    DOUBT_OVER_MS = 60 * 1000, /* when the link finds nobody again after that, it is news */
    ASK_PAUSE_MS = 1000,       /* between two askings for the sake of a link that finds nobody */
};

/* Nobody waits for the one that is tried next before all have failed once. */
static const struct backoff round_backoff = {.ms_min = 100, .ms_max = 5000};

static const char switched[] = "+switch-master";

/* The Sentinel that leads a fail-over says +switch-master only when all replicas have been told, but from
 * this message on it names the new primary to who asks. */
static const char promoted[] = "+failover-state-reconf-slaves";

enum sentinel_state { SENTINEL_RETRYING, SENTINEL_ASKING, SENTINEL_LISTENING };
enum sentinel_event {
    SENTINEL_UP,
    SENTINEL_READABLE,
    SENTINEL_WRITABLE,
    SENTINEL_DOWN,
    SENTINEL_TIMER
};

struct sentinel {
    struct loop *loop;
    struct sentinel_options options;
    sentinel_fn *fn;
    void *arg;
    enum sentinel_state state;
    struct timer *timer;
    struct tls_context *tls; /* NULL: plain; somebody else's */
    struct conn *conn;       /* NULL: none */
    size_t turn;             /* which of the Sentinels it is */
    size_t step;             /* asking: the one whose reply is awaited */
    unsigned failures;       /* since one of them was heard to live after it had told the address */
    bool listened;           /* asking: on a connection that was listened to before */
    bool in_doubt;           /* the link finds nobody: if this one has nothing new, ask the next */
    bool is_pinged;          /* listening: the PONG has not come yet */
    int64_t asked_ms;        /* clock_ms when it was asked last */
    int64_t last_io_ms;      /* clock_ms of the last byte received, or of coming up */
    struct primary_address told; /* last; port 0: nothing yet */
    struct log_repeat trouble;   /* none of them answers */
    struct log_repeat doubt;     /* the link finds nobody where they say */
    bool is_quiet;               /* asked for the sake of that once more: not news */
    struct text out;
    size_t in_length;
    uint8_t in[REPLY_LENGTH_MAX];
};

/* ------------------------------------------------------------------ states */

static void enter_retrying(struct sentinel *sentinel);
static void enter_asking(struct sentinel *sentinel);
static void enter_listening(struct sentinel *sentinel);
static void on_retrying(struct sentinel *sentinel, enum sentinel_event event);
static void on_asking(struct sentinel *sentinel, enum sentinel_event event);
static void on_listening(struct sentinel *sentinel, enum sentinel_event event);

#define TO(state) (1u << SENTINEL_##state)

static const struct state_row {
    const char *name;
    unsigned next; /* states that may follow: TO() of each */
    void (*enter)(struct sentinel *sentinel);
    void (*on)(struct sentinel *sentinel, enum sentinel_event event);
} states[] = {
    [SENTINEL_RETRYING] = {"retrying", TO(ASKING), enter_retrying, on_retrying},
    [SENTINEL_ASKING] = {"asking", TO(LISTENING) | TO(RETRYING), enter_asking, on_asking},
    [SENTINEL_LISTENING] = {"listening", TO(ASKING) | TO(RETRYING), enter_listening, on_listening},
};

static const struct primary_address *address_of(const struct sentinel *sentinel)
{
    return &sentinel->options.sentinels.at[sentinel->turn];
}

/* Sentinels that do not answer are told of when that begins, then summed up, and when it ends; and so is that
 * they are asked again since the link finds nobody. */
static enum log_level level_of_change(struct sentinel *sentinel, enum sentinel_state state,
                                      enum log_level level, const char *cause,
                                      char sum[LOG_REPEAT_SUM_MAX])
{
    char reason[WHY_MAX + PRIMARY_HOST_MAX + 16];
    const struct primary_address *address = address_of(sentinel);
    bool was_in_trouble = log_repeat_goes_on(&sentinel->trouble);
    sum[0] = '\0';
    if (level > LOG_LEVEL_INFO) {
        snprintf(reason, sizeof(reason), "%s:%u %s", address->host, (unsigned)address->port, cause);
        return log_repeat_note(&sentinel->trouble, reason, clock_ms(), sum) ? level
                                                                            : LOG_LEVEL_DEBUG;
    }
    if (state == SENTINEL_LISTENING && was_in_trouble)
        return log_repeat_end(&sentinel->trouble, clock_ms(), sum) ? level : LOG_LEVEL_DEBUG;
    return was_in_trouble || sentinel->is_quiet ? LOG_LEVEL_DEBUG : level;
}

/* The only place where the state changes. `cause` ends the log line: a word, then what belongs to it. */
static void PRINTF_LIKE(4, 5) sentinel_enter(struct sentinel *sentinel, enum sentinel_state state,
                                             enum log_level level, const char *cause, ...)
{
    char text[WHY_MAX];
    va_list list;
    va_start(list, cause);
    vsnprintf(text, sizeof(text), cause, list);
    va_end(list);
    CHECK(states[sentinel->state].next & 1u << state);
    const struct primary_address *address = address_of(sentinel);
    char sum[LOG_REPEAT_SUM_MAX];
    log_at(level_of_change(sentinel, state, level, text, sum),
           "upstream: sentinel state=%s->%s name=%s sentinel=%s:%" PRIu16 "%s cause=%s",
           states[sentinel->state].name, states[state].name, sentinel->options.name, address->host,
           address->port, sum, text);
    timer_disarm(sentinel->timer);
    sentinel->state = state;
    states[state].enter(sentinel);
}

static void let_go(struct sentinel *sentinel)
{
    if (sentinel->conn != NULL)
        conn_close(&sentinel->conn);
    sentinel->in_length = 0;
    sentinel->is_pinged = false;
    text_clear(&sentinel->out);
}

/* On to the next one, at once or after a rest. */
static void pass_over(struct sentinel *sentinel, enum log_level level, const char *cause,
                      const char *why)
{
    char text[WHY_MAX]; /* a copy: `why` may be the connection's, which goes */
    snprintf(text, sizeof(text), "%s: %s", cause, why);
    let_go(sentinel);
    sentinel_enter(sentinel, SENTINEL_RETRYING, level, "%s", text);
}

static void fail(struct sentinel *sentinel, const char *cause, const char *why)
{
    sentinel->failures++;
    pass_over(sentinel, LOG_LEVEL_WARNING, cause, why);
}

static void enter_retrying(struct sentinel *sentinel)
{
    size_t count = sentinel->options.sentinels.count;
    sentinel->turn = (sentinel->turn + 1) % count;
    timer_arm(sentinel->timer, backoff_ms(round_backoff, sentinel->failures / (unsigned)count));
}

static void on_retrying(struct sentinel *sentinel, enum sentinel_event event)
{
    CHECK(event == SENTINEL_TIMER);
    sentinel_enter(sentinel, SENTINEL_ASKING, LOG_LEVEL_INFO, "turn");
}

/* ------------------------------------------------------------------ sending */

static bool flush(struct sentinel *sentinel)
{
    while (sentinel->out.length > 0) {
        size_t sent;
        enum conn_io io = conn_send(sentinel->conn, text_bytes(&sentinel->out), false, &sent);
        if (io == CONN_AGAIN)
            break;
        if (io != CONN_OK)
            return false;
        text_skip(&sentinel->out, sent);
    }
    conn_want(sentinel->conn, true, sentinel->out.length > 0);
    return true;
}

static void flush_or_fail(struct sentinel *sentinel)
{
    if (!flush(sentinel))
        fail(sentinel, "broken", conn_error(sentinel->conn));
}

#define SEND(sentinel, ...)                                                                        \
    write_command(&(struct writer){&(sentinel)->out, 2}, (const char *const[]){__VA_ARGS__},       \
                  LENGTH_OF(((const char *const[]){__VA_ARGS__})))

static bool has_text(const char *string)
{
    return string != NULL && string[0] != '\0';
}

static void send_auth(struct sentinel *sentinel)
{
    if (has_text(sentinel->options.user))
        SEND(sentinel, "AUTH", sentinel->options.user, sentinel->options.password);
    else
        SEND(sentinel, "AUTH", sentinel->options.password);
}

static void send_question(struct sentinel *sentinel)
{
    SEND(sentinel, "SENTINEL", "get-master-addr-by-name", sentinel->options.name);
}

static void send_subscribe(struct sentinel *sentinel)
{
    SEND(sentinel, "SUBSCRIBE", switched, promoted);
}

static void send_unsubscribe(struct sentinel *sentinel)
{
    SEND(sentinel, "UNSUBSCRIBE", switched, promoted);
}

static void send_nothing(struct sentinel *sentinel)
{
    (void)sentinel;
}

/* ------------------------------------------------------------------ asking */

/* Something was said. False: it cannot be believed, and `why` says why. */
typedef bool judge_fn(struct sentinel *sentinel, const struct reply *reply, struct text *why);

static bool tell(struct sentinel *sentinel, const struct primary_address *address)
{
    struct primary_address *told = &sentinel->told;
    bool is_news = told->port != address->port || strcmp(told->host, address->host) != 0;
    if (is_news) {
        sentinel->doubt = (struct log_repeat){.count = 0};
        sentinel->is_quiet = false;
        log_info("upstream: sentinel name=%s says that the primary is %s:%" PRIu16,
                 sentinel->options.name, address->host, address->port);
    }
    *told = *address;
    sentinel->fn(address, sentinel->arg);
    return is_news;
}

static bool judge_auth(struct sentinel *sentinel, const struct reply *reply, struct text *why)
{
    (void)sentinel;
    char shown[160];
    if (reply->item[0].kind == REPLY_STATUS)
        return true;
    text_format(why, "AUTH: it answered: %s",
                bytes_printable(reply->item[0].text, shown, sizeof(shown)));
    return false;
}

static bool judge_address(struct sentinel *sentinel, const struct reply *reply, struct text *why)
{
    struct primary_address address;
    if (sentinel_reply_of_answer(reply, &address, why) != SENTINEL_REPLY_ADDRESS)
        return false;
    if (tell(sentinel, &address))
        sentinel->in_doubt = false;
    return true;
}

static bool judge_subscription(const struct reply *reply, const char *word, const char *channel,
                               struct text *why)
{
    if (sentinel_reply_is_subscription(reply, word, channel))
        return true;
    char shown[160];
    const struct reply_item *item = reply->item;
    text_format(why, "%s: it answered: %s", word,
                item[0].kind == REPLY_ERROR ? bytes_printable(item[0].text, shown, sizeof(shown))
                                            : "something else");
    return false;
}

static bool judge_switched_left(struct sentinel *sentinel, const struct reply *reply,
                                struct text *why)
{
    (void)sentinel;
    return judge_subscription(reply, "unsubscribe", switched, why);
}

static bool judge_promoted_left(struct sentinel *sentinel, const struct reply *reply,
                                struct text *why)
{
    (void)sentinel;
    return judge_subscription(reply, "unsubscribe", promoted, why);
}

static bool judge_switched(struct sentinel *sentinel, const struct reply *reply, struct text *why)
{
    (void)sentinel;
    return judge_subscription(reply, "subscribe", switched, why);
}

static bool judge_promoted(struct sentinel *sentinel, const struct reply *reply, struct text *why)
{
    (void)sentinel;
    return judge_subscription(reply, "subscribe", promoted, why);
}

static bool always(const struct sentinel *sentinel)
{
    (void)sentinel;
    return true;
}

static bool must_log_in(const struct sentinel *sentinel)
{
    return !sentinel->listened && has_text(sentinel->options.password);
}

static bool has_listened(const struct sentinel *sentinel)
{
    return sentinel->listened;
}

/* One reply a row. Only SENTINEL cannot be said while listening. All is sent at once: a Sentinel works off
 * what came together without a look at anything else, so that the primary cannot move unseen between the
 * answer and the subscription. */
static const struct step {
    bool (*is_needed)(const struct sentinel *sentinel);
    void (*send)(struct sentinel *sentinel);
    judge_fn *judge;
} steps[] = {
    {must_log_in, send_auth, judge_auth},
    {has_listened, send_unsubscribe, judge_switched_left},
    {has_listened, send_nothing, judge_promoted_left},
    {always, send_question, judge_address},
    {always, send_subscribe, judge_switched},
    {always, send_nothing, judge_promoted},
};

enum { STEPS = LENGTH_OF(steps) };

/* From `step` on, the first that is needed; STEPS: none. */
static size_t needed_from(const struct sentinel *sentinel, size_t step)
{
    while (step < STEPS && !steps[step].is_needed(sentinel))
        step++;
    return step;
}

static void send_steps(struct sentinel *sentinel, bool listened)
{
    sentinel->listened = listened;
    sentinel->step = needed_from(sentinel, 0);
    for (size_t step = sentinel->step; step < STEPS; step = needed_from(sentinel, step + 1))
        steps[step].send(sentinel);
    sentinel->asked_ms = clock_ms();
    flush_or_fail(sentinel);
}

static void on_conn_event(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    struct sentinel *sentinel = arg;
    static const enum sentinel_event events[] = {
        [CONN_EVENT_UP] = SENTINEL_UP,
        [CONN_EVENT_READABLE] = SENTINEL_READABLE,
        [CONN_EVENT_WRITABLE] = SENTINEL_WRITABLE,
        [CONN_EVENT_DOWN] = SENTINEL_DOWN,
    };
    states[sentinel->state].on(sentinel, events[event]);
}

static void enter_asking(struct sentinel *sentinel)
{
    timer_arm(sentinel->timer, ANSWER_MS_MAX);
    if (sentinel->conn != NULL) {
        send_steps(sentinel, true);
        return;
    }
    const struct conn_options options = {.keepalive_s = KEEPALIVE_S, .tls = sentinel->tls};
    const struct primary_address *address = address_of(sentinel);
    sentinel->conn = conn_connect(sentinel->loop, address->host, address->port, &options,
                                  on_conn_event, sentinel);
    /* Memory is out: that nothing answers is found when the time is over. */
}

/* ------------------------------------------------------------------ what it says */

/* Whoever leaves the old primary because of it is told that it is lost, and asks us; it is answered. */
static void hear(struct sentinel *sentinel, const struct primary_address *address)
{
    (void)tell(sentinel, address);
    sentinel->in_doubt = false;
    if (sentinel->state == SENTINEL_LISTENING)
        timer_disarm(sentinel->timer);
}

/* Once a pause at the most, and from the timer: who wants it may have been called by us. */
static void ask_again(struct sentinel *sentinel)
{
    int64_t since_ms = clock_ms() - sentinel->asked_ms;
    if (sentinel->state == SENTINEL_LISTENING)
        timer_arm(sentinel->timer, since_ms < ASK_PAUSE_MS ? ASK_PAUSE_MS - since_ms : 0);
}

static bool take_message(struct sentinel *sentinel, const struct reply *reply, struct text *why)
{
    struct primary_address address;
    const struct reply_item *item = reply->item;
    if (bytes_equal(item[2].text, bytes_of(promoted))) {
        ask_again(sentinel);
        return true;
    }
    if (!bytes_equal(item[2].text, bytes_of(switched))) {
        text_format(why, "it sent a message of a channel that we did not ask for");
        return false;
    }
    enum sentinel_reply sentinel_reply =
        sentinel_reply_of_switch(item[3].text, sentinel->options.name, &address, why);
    if (sentinel_reply == SENTINEL_REPLY_ADDRESS)
        hear(sentinel, &address);
    return sentinel_reply != SENTINEL_REPLY_NONSENSE;
}

/* It has told the address and lives on: that is what makes a good one. */
static void take_pong(struct sentinel *sentinel)
{
    sentinel->is_pinged = false;
    sentinel->failures = 0;
}

static bool take_answer(struct sentinel *sentinel, const struct reply *reply, struct text *why)
{
    if (sentinel->state != SENTINEL_ASKING || sentinel->step == STEPS) {
        char shown[160];
        if (sentinel->is_pinged && reply->item[0].kind == REPLY_ERROR) {
            text_format(why, "PING: it answered: %s",
                        bytes_printable(reply->item[0].text, shown, sizeof(shown)));
            return false;
        }
        text_format(why, "it sent what nobody asked for");
        return false;
    }
    if (!steps[sentinel->step].judge(sentinel, reply, why))
        return false;
    sentinel->step = needed_from(sentinel, sentinel->step + 1);
    return true;
}

/* Messages and PONGs come between the answers, too. */
static bool take_reply(struct sentinel *sentinel, const struct reply *reply, struct text *why)
{
    if (sentinel_reply_is_message(reply))
        return take_message(sentinel, reply, why);
    if (sentinel->is_pinged && sentinel_reply_is_pong(reply)) {
        take_pong(sentinel);
        return true;
    }
    return take_answer(sentinel, reply, why);
}

/* All that has come whole. False: `why`. */
static bool take_replies(struct sentinel *sentinel, struct text *why)
{
    struct reply reply;
    struct bytes input = bytes_at(sentinel->in, sentinel->in_length);
    enum reply_result result;
    while ((result = reply_read(input, &reply)) == REPLY_WHOLE) {
        if (!take_reply(sentinel, &reply, why))
            return false;
        input = bytes_skip(input, reply.length);
    }
    memmove(sentinel->in, input.data, input.length);
    sentinel->in_length = input.length;
    if (result == REPLY_NONSENSE)
        text_format(why, "it sent no reply of a server: %s", reply.error);
    return result == REPLY_MORE;
}

static bool receive(struct sentinel *sentinel, struct text *why)
{
    size_t received;
    CHECK(sentinel->in_length < sizeof(sentinel->in));
    switch (conn_receive(sentinel->conn, sentinel->in + sentinel->in_length,
                         sizeof(sentinel->in) - sentinel->in_length, &received)) {
    case CONN_OK:
        sentinel->in_length += received;
        sentinel->last_io_ms = clock_ms();
        return true;
    case CONN_AGAIN:
        return true;
    case CONN_END:
        text_format(why, "it closed the connection");
        return false;
    case CONN_FAILED:
    case CONN_UNREADABLE:
        text_format(why, "%s", conn_error(sentinel->conn));
        return false;
    }
    UNREACHABLE("an io without a case");
}

/* False: it has failed, the state is another. */
static bool take_what_came(struct sentinel *sentinel)
{
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = false;
    if (!receive(sentinel, &why))
        fail(sentinel, "broken", text_string(&why));
    else if (!take_replies(sentinel, &why))
        fail(sentinel, "refused", text_string(&why));
    else
        good = true;
    text_fini(&why);
    return good;
}

/* The link finds nobody where this one says that the primary is: another may know more. */
static void finish_asking(struct sentinel *sentinel)
{
    bool moves_on = sentinel->in_doubt && sentinel->options.sentinels.count > 1;
    sentinel->in_doubt = false;
    if (moves_on)
        pass_over(sentinel, LOG_LEVEL_INFO, "nothing_new", "the next one may know more");
    else
        sentinel_enter(sentinel, SENTINEL_LISTENING, LOG_LEVEL_INFO, "told primary=%s:%" PRIu16,
                       sentinel->told.host, sentinel->told.port);
}

static void on_asking(struct sentinel *sentinel, enum sentinel_event event)
{
    switch (event) {
    case SENTINEL_UP:
        sentinel->last_io_ms = clock_ms();
        send_steps(sentinel, false);
        return;
    case SENTINEL_READABLE:
        if (take_what_came(sentinel) && sentinel->step == STEPS)
            finish_asking(sentinel);
        return;
    case SENTINEL_WRITABLE:
        flush_or_fail(sentinel);
        return;
    case SENTINEL_DOWN:
        fail(sentinel, "unreachable", conn_error(sentinel->conn));
        return;
    case SENTINEL_TIMER:
        fail(sentinel, "silent", "it did not answer in time");
        return;
    }
    UNREACHABLE("an event without a case");
}

/* ------------------------------------------------------------------ listening */

static void enter_listening(struct sentinel *sentinel)
{
    sentinel->is_quiet = false;
    sentinel->last_io_ms = clock_ms();
}

static void on_listening(struct sentinel *sentinel, enum sentinel_event event)
{
    switch (event) {
    case SENTINEL_READABLE:
        (void)take_what_came(sentinel);
        return;
    case SENTINEL_WRITABLE:
        flush_or_fail(sentinel);
        return;
    case SENTINEL_DOWN:
        fail(sentinel, "broken", conn_error(sentinel->conn));
        return;
    case SENTINEL_TIMER: /* ask_again */
        sentinel_enter(sentinel, SENTINEL_ASKING, LOG_LEVEL_INFO, "%s",
                       sentinel->in_doubt ? "lost" : "promoted");
        return;
    case SENTINEL_UP:
        UNREACHABLE("up came before");
    }
    UNREACHABLE("an event without a case");
}

/* ------------------------------------------------------------------ opened, asked, ticked */

static void on_timer(void *arg)
{
    struct sentinel *sentinel = arg;
    states[sentinel->state].on(sentinel, SENTINEL_TIMER);
}

struct sentinel *sentinel_open(struct loop *loop, const struct sentinel_options *options,
                               sentinel_fn *fn, void *arg)
{
    CHECK(options->sentinels.count > 0);
    CHECK(options->sentinels.count <= PRIMARY_CANDIDATES_MAX);
    struct sentinel *sentinel = calloc(1, sizeof(*sentinel));
    if (sentinel == NULL)
        return NULL;
    sentinel->loop = loop;
    sentinel->options = *options;
    sentinel->fn = fn;
    sentinel->arg = arg;
    static_assert(SENTINEL_RETRYING == 0, "a new one is retrying");
    text_init(&sentinel->out, OUT_MAX);
    sentinel->timer = timer_new(loop, on_timer, sentinel);
    if (sentinel->timer == NULL) {
        sentinel_close(&sentinel);
        return NULL;
    }
    timer_arm(sentinel->timer, 0);
    return sentinel;
}

void sentinel_close(struct sentinel **sentinel)
{
    struct sentinel *it = *sentinel;
    if (it == NULL)
        return;
    let_go(it);
    if (it->timer != NULL)
        timer_free(&it->timer);
    text_fini(&it->out);
    free(it);
    *sentinel = NULL;
}

void sentinel_set_tls(struct sentinel *sentinel, struct tls_context *tls)
{
    sentinel->tls = tls;
}

void sentinel_ask(struct sentinel *sentinel)
{
    /* While retrying or asking, the answer is on its way. */
    if (sentinel->state != SENTINEL_LISTENING)
        return;
    int64_t now_ms = clock_ms();
    char sum[LOG_REPEAT_SUM_MAX];
    if (now_ms - sentinel->doubt.last_ms > DOUBT_OVER_MS)
        sentinel->doubt = (struct log_repeat){.count = 0};
    sentinel->is_quiet = !log_repeat_note(&sentinel->doubt, "lost", now_ms, sum);
    sentinel->in_doubt = true;
    ask_again(sentinel);
}

void sentinel_tick(struct sentinel *sentinel)
{
    if (sentinel->state != SENTINEL_LISTENING)
        return;
    if (clock_silence_ms(sentinel->last_io_ms) > SILENCE_MS_MAX) {
        fail(sentinel, "silent", "it does not answer to PING");
        return;
    }
    if (sentinel->is_pinged)
        return;
    sentinel->is_pinged = true;
    SEND(sentinel, "PING");
    flush_or_fail(sentinel);
}
