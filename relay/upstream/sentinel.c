/* SPDX-License-Identifier: MIT */
#include "relay/upstream/sentinel.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "backoff.h"
#include "connect_race.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/log_repeat.h"
#include "relay/base/state_machine.h"
#include "relay/base/text.h"
#include "relay/net/conn.h"
#include "relay/net/loop.h"
#include "route.h"
#include "sentinel_session.h"

enum {
    WHY_MAX = 480,
    KEEPALIVE_S = 60,
    ANSWER_MS_MAX = 2000,      /* to connect and to tell the address */
    SILENCE_MS_MAX = 4000,     /* while listening; a PING goes out every second */
    DOUBT_OVER_MS = 60 * 1000, /* when the link finds nobody again after that, it is news */
    ASK_PAUSE_MS = 1000,       /* between two askings for the sake of a link that finds nobody */
};

enum sentinel_state { SENTINEL_RETRYING, SENTINEL_ASKING, SENTINEL_LISTENING };

struct sentinel {
    struct loop *loop;
    struct sentinel_options options;
    sentinel_fn *fn;
    void *arg;
    struct state_machine machine; /* enum sentinel_state */
    struct timer *timer;
    struct route route;
    struct connect_race race; /* asking: to the one whose turn it is, and to those beside it */
    struct sentinel_session session; /* with it; without a connection until that is up */
    size_t turn;                     /* which of the Sentinels it is */
    unsigned failures; /* since one of them was heard to live after it had told the address */
    bool in_doubt;     /* the link finds nobody: if this one has nothing new, ask the next */
    int64_t asked_ms;  /* clock_ms when it was asked last */
    int64_t until_ms;  /* asking: clock_ms when its time is over */
    struct primary_address told; /* last; port 0: nothing yet */
    struct log_repeat trouble;   /* none of them answers */
    struct log_repeat doubt;     /* the link finds nobody where they say */
    bool is_quiet;               /* asked for the sake of that once more: not news */
};

/* ------------------------------------------------------------------ states */

static void enter_retrying(void *owner);
static void enter_asking(void *owner);
static void enter_listening(void *owner);

#define TO(state) STATE_BIT(SENTINEL_##state)

static const struct state_row sentinel_rows[] = {
    [SENTINEL_RETRYING] = {"retrying", TO(ASKING), enter_retrying},
    [SENTINEL_ASKING] = {"asking", TO(LISTENING) | TO(RETRYING), enter_asking},
    [SENTINEL_LISTENING] = {"listening", TO(ASKING) | TO(RETRYING), enter_listening},
};

static const struct primary_address *sentinel_address(const struct sentinel *sentinel)
{
    return &sentinel->options.sentinels.at[sentinel->turn];
}

/* Sentinels that do not answer are told of when that begins, then summed up, and when it ends; and so is that
 * they are asked again since the link finds nobody. */
static enum log_level sentinel_level(struct sentinel *sentinel, unsigned next, enum log_level level,
                                     const char *cause, char sum[LOG_REPEAT_SUM_MAX])
{
    char reason[STATE_WORDS_MAX + PRIMARY_HOST_MAX + 16];
    const struct primary_address *address = sentinel_address(sentinel);
    bool was_in_trouble = log_repeat_goes_on(&sentinel->trouble);
    if (level > LOG_LEVEL_INFO) {
        snprintf(reason, sizeof(reason), "%s:%u %s", address->host, (unsigned)address->port, cause);
        return log_repeat_note(&sentinel->trouble, reason, clock_ms(), sum) ? level
                                                                            : LOG_LEVEL_DEBUG;
    }
    if (next == SENTINEL_LISTENING && was_in_trouble)
        return log_repeat_end(&sentinel->trouble, clock_ms(), sum) ? level : LOG_LEVEL_DEBUG;
    return was_in_trouble || sentinel->is_quiet ? LOG_LEVEL_DEBUG : level;
}

static enum log_level sentinel_describe(void *owner, unsigned next, enum log_level level,
                                        const char *cause, struct state_words *words)
{
    struct sentinel *sentinel = owner;
    const struct primary_address *address = sentinel_address(sentinel);
    char sum[LOG_REPEAT_SUM_MAX] = "";
    level = sentinel_level(sentinel, next, level, cause, sum);
    snprintf(words->details, sizeof(words->details), " name=%s sentinel=%s:%" PRIu16 "%s",
             sentinel->options.name, address->host, address->port, sum);
    return level;
}

static void sentinel_disarm(void *owner)
{
    struct sentinel *sentinel = owner;
    timer_disarm(sentinel->timer);
}

static const struct state_machine_kind sentinel_kind = {
    .name = "upstream: sentinel",
    .rows = sentinel_rows,
    .describe = sentinel_describe,
    .on_change = sentinel_disarm,
};

/* On to the next one, at once or after a rest. */
static void pass_over(struct sentinel *sentinel, enum log_level level, const char *cause,
                      const char *why)
{
    char text[STATE_WORDS_MAX]; /* a copy: `why` may be the connection's, which goes */
    snprintf(text, sizeof(text), "%s: %s", cause, why);
    if (sentinel->session.conn == NULL)
        connect_race_drop(&sentinel->race, sentinel->turn);
    sentinel_session_close(&sentinel->session);
    state_machine_enter(&sentinel->machine, SENTINEL_RETRYING, level, "%s", text);
}

static void sentinel_fail(struct sentinel *sentinel, const char *cause, const char *why)
{
    sentinel->failures++;
    pass_over(sentinel, LOG_LEVEL_WARNING, cause, why);
}

static void enter_retrying(void *owner)
{
    struct sentinel *sentinel = owner;
    size_t count = sentinel->options.sentinels.count;
    sentinel->turn = (sentinel->turn + 1) % count;
    /* Nobody waits for the one that is tried next before all have failed once. */
    timer_arm(sentinel->timer, backoff_ms(backoff_sentinels, sentinel->failures / (unsigned)count));
}

/* ------------------------------------------------------------------ connecting */

/* The next after the one whose turn it is that is not connected to yet; SIZE_MAX: none. */
static size_t sentinel_beside(const struct sentinel *sentinel)
{
    size_t count = sentinel->options.sentinels.count;
    uint32_t used = connect_race_used(&sentinel->race);
    for (size_t i = 1; i < count; i++) {
        size_t at = (sentinel->turn + i) % count;
        if ((used & UINT32_C(1) << at) == 0)
            return at;
    }
    return SIZE_MAX;
}

static bool sentinel_connect(struct sentinel *sentinel, size_t which)
{
    const struct primary_address *to = &sentinel->options.sentinels.at[which];
    struct conn_options options = {.keepalive_s = KEEPALIVE_S};
    route_apply(&sentinel->route, to, &options);
    return connect_race_open(&sentinel->race, which, to, &options);
}

/* To the next look at the race, or to the end of the time that the one whose turn it is has. */
static void sentinel_arm_race(struct sentinel *sentinel, int64_t look_ms)
{
    int64_t left_ms = sentinel->until_ms - clock_ms();
    if (sentinel_beside(sentinel) == SIZE_MAX || look_ms > left_ms)
        look_ms = left_ms;
    timer_arm(sentinel->timer, look_ms > 0 ? look_ms : 0);
}

static void sentinel_question(struct sentinel *sentinel)
{
    timer_arm(sentinel->timer, ANSWER_MS_MAX);
    sentinel->asked_ms = clock_ms();
    sentinel_session_ask(&sentinel->session);
}

/* A connection that was listened to is asked on; else the race has one, or begins. All that can
 * be known at once is looked at by the timer, in another turn: the caller is in the midst of a
 * change of state. */
static void enter_asking(void *owner)
{
    struct sentinel *sentinel = owner;
    size_t turn = sentinel->turn;
    sentinel->until_ms = clock_ms() + ANSWER_MS_MAX;
    if (sentinel->session.conn != NULL) {
        sentinel_question(sentinel);
        return;
    }
    timer_arm(sentinel->timer, ANSWER_MS_MAX);
    switch (sentinel->race.at[turn].state) {
    case CONNECT_FREE:
        if (!sentinel_connect(sentinel, turn))
            return; /* out of memory: that nothing answers is found when the time is over */
        break;
    case CONNECT_WAITING:
        break;
    case CONNECT_READY:
    case CONNECT_FAILED:
        timer_arm(sentinel->timer, 0);
        return;
    }
    sentinel_arm_race(sentinel, connect_race_patience_ms(&sentinel->race, turn));
}

static void look_at_race(struct sentinel *sentinel)
{
    const struct connect_place *place = &sentinel->race.at[sentinel->turn];
    size_t next = sentinel_beside(sentinel);
    if (place->state == CONNECT_READY) {
        sentinel_session_begin(&sentinel->session,
                               connect_race_take(&sentinel->race, sentinel->turn));
        sentinel_question(sentinel);
    } else if (place->state == CONNECT_FAILED) {
        sentinel_fail(sentinel, "unreachable", place->error);
    } else if (place->state == CONNECT_FREE || clock_ms() >= sentinel->until_ms) {
        sentinel_fail(sentinel, "silent", "it did not answer in time");
    } else {
        if (next != SIZE_MAX && !sentinel_connect(sentinel, next))
            log_debug("upstream: no memory for a connection to a Sentinel");
        /* Also where there was no memory: nothing else ends the turn of one that hangs. */
        sentinel_arm_race(sentinel, CONNECT_STAGGER_MS);
    }
}

/* Any of them will do: the first that is connected is asked, and who hangs has his turn later. */
static void sentinel_on_race(size_t place, void *arg)
{
    struct sentinel *sentinel = arg;
    if (sentinel->machine.state != SENTINEL_ASKING || sentinel->session.conn != NULL)
        return;
    if (sentinel->race.at[place].state == CONNECT_READY)
        sentinel->turn = place;
    look_at_race(sentinel);
}

/* ------------------------------------------------------------------ what it says */

static bool sentinel_tell(struct sentinel *sentinel, const struct primary_address *address)
{
    struct primary_address *told = &sentinel->told;
    bool is_news = !primary_address_equal(told, address);
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

static void sentinel_on_answer(const struct primary_address *address, void *arg)
{
    struct sentinel *sentinel = arg;
    if (sentinel_tell(sentinel, address))
        sentinel->in_doubt = false;
}

/* Whoever leaves the old primary because of it is told that it is lost, and asks us; it is answered. */
static void on_switch(const struct primary_address *address, void *arg)
{
    struct sentinel *sentinel = arg;
    (void)sentinel_tell(sentinel, address);
    sentinel->in_doubt = false;
    if (sentinel->machine.state == SENTINEL_LISTENING)
        timer_disarm(sentinel->timer);
}

/* Once a pause at the most, and from the timer: who wants it may have been called by us. */
static void ask_again(struct sentinel *sentinel)
{
    int64_t since_ms = clock_ms() - sentinel->asked_ms;
    if (sentinel->machine.state == SENTINEL_LISTENING)
        timer_arm(sentinel->timer, since_ms < ASK_PAUSE_MS ? ASK_PAUSE_MS - since_ms : 0);
}

static void on_promotion(void *arg)
{
    ask_again(arg);
}

/* It has told the address and lives on: that is what makes a good one. */
static void on_pong(void *arg)
{
    struct sentinel *sentinel = arg;
    sentinel->failures = 0;
}

/* The link finds nobody where this one says that the primary is: another may know more. */
static void finish_asking(struct sentinel *sentinel)
{
    bool moves_on = sentinel->in_doubt && sentinel->options.sentinels.count > 1;
    sentinel->in_doubt = false;
    if (moves_on)
        pass_over(sentinel, LOG_LEVEL_INFO, "nothing_new", "the next one may know more");
    else
        state_machine_enter(&sentinel->machine, SENTINEL_LISTENING, LOG_LEVEL_INFO,
                            "told primary=%s:%" PRIu16, sentinel->told.host, sentinel->told.port);
}

static void enter_listening(void *owner)
{
    struct sentinel *sentinel = owner;
    connect_race_drop_all(&sentinel->race);
    sentinel->is_quiet = false;
    sentinel->session.last_io_ms = clock_ms();
}

static void take_what_came(struct sentinel *sentinel)
{
    struct text why;
    text_init(&why, WHY_MAX);
    switch (sentinel_session_receive(&sentinel->session, &why)) {
    case SENTINEL_MORE:
        break;
    case SENTINEL_ANSWERED:
        if (sentinel->machine.state == SENTINEL_ASKING)
            finish_asking(sentinel);
        break;
    case SENTINEL_BROKEN:
        sentinel_fail(sentinel, "broken", text_string(&why));
        break;
    case SENTINEL_REFUSED:
        sentinel_fail(sentinel, "refused", text_string(&why));
        break;
    }
    text_fini(&why);
}

static void sentinel_on_conn_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct sentinel *sentinel = arg;
    switch (event) {
    case CONN_EVENT_READABLE:
        take_what_came(sentinel);
        return;
    case CONN_EVENT_WRITABLE:
        sentinel_session_flush(&sentinel->session);
        return;
    case CONN_EVENT_DOWN:
        sentinel_fail(sentinel,
                      sentinel->machine.state == SENTINEL_ASKING ? "unreachable" : "broken",
                      conn_error(conn));
        return;
    case CONN_EVENT_UP:
        UNREACHABLE("a connection is taken when it is up");
    }
    UNREACHABLE("an event without a case");
}

static void sentinel_on_timer(void *arg)
{
    struct sentinel *sentinel = arg;
    switch ((enum sentinel_state)sentinel->machine.state) {
    case SENTINEL_RETRYING:
        state_machine_enter(&sentinel->machine, SENTINEL_ASKING, LOG_LEVEL_INFO, "turn");
        return;
    case SENTINEL_ASKING:
        if (sentinel->session.conn == NULL)
            look_at_race(sentinel);
        else
            sentinel_fail(sentinel, "silent", "it did not answer in time");
        return;
    case SENTINEL_LISTENING: /* ask_again */
        state_machine_enter(&sentinel->machine, SENTINEL_ASKING, LOG_LEVEL_INFO, "%s",
                            sentinel->in_doubt ? "lost" : "promoted");
        return;
    }
    UNREACHABLE("a state without a case");
}

/* ------------------------------------------------------------------ opened, asked, ticked */

struct sentinel *sentinel_open(struct loop *loop, const struct sentinel_options *options,
                               sentinel_fn *fn, void *arg)
{
    CHECK(options->sentinels.count > 0);
    CHECK(options->sentinels.count <= PRIMARY_CANDIDATES_MAX);
    struct sentinel *sentinel = calloc(1, sizeof(*sentinel));
    if (sentinel == NULL)
        return NULL;
    const struct sentinel_news news = {sentinel_on_answer, on_switch, on_promotion, on_pong,
                                       sentinel};
    static_assert(SENTINEL_RETRYING == 0, "a new one is retrying");
    sentinel->loop = loop;
    sentinel->options = *options;
    sentinel->fn = fn;
    sentinel->arg = arg;
    state_machine_init(&sentinel->machine, &sentinel_kind, sentinel);
    connect_race_init(&sentinel->race, loop, sentinel_on_race, sentinel_on_conn_event, sentinel);
    sentinel_session_init(&sentinel->session, &sentinel->options, &news);
    sentinel->timer = timer_new(loop, sentinel_on_timer, sentinel);
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
    connect_race_drop_all(&it->race);
    sentinel_session_fini(&it->session);
    if (it->timer != NULL)
        timer_free(&it->timer);
    free(it);
    *sentinel = NULL;
}

void sentinel_set_tls(struct sentinel *sentinel, struct tls_context *tls)
{
    sentinel->route.tls = tls;
}

void sentinel_set_proxy(struct sentinel *sentinel, const char *proxy)
{
    sentinel->route.proxy = proxy;
}

void sentinel_ask(struct sentinel *sentinel)
{
    /* While retrying or asking, the answer is on its way. */
    if (sentinel->machine.state != SENTINEL_LISTENING)
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
    connect_race_tick(&sentinel->race);
    if (sentinel->machine.state != SENTINEL_LISTENING)
        return;
    if (clock_silence_ms(sentinel->session.last_io_ms) > SILENCE_MS_MAX)
        sentinel_fail(sentinel, "silent", "it does not answer to PING");
    else
        sentinel_session_ping(&sentinel->session);
}
