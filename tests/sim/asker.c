/* SPDX-License-Identifier: MIT */
#include "asker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "relay/base/check.h"
#include "reply.h"
#include "sim.h"
#include "talker.h"

enum {
    TICK_US = SIM_S,
    RETRY_US = SIM_S,
    ANSWER_US_MOST = 60 * SIM_S, /* in peace */
    DESERTED_US = 10 * SIM_S,
    WAIT_MS_MOST = 3000,
    REPLICAS_ASKED = 4,
    IN_MULTI_ONE_IN = 8,
};

enum question_kind { QUESTION_ANY, QUESTION_INFO, QUESTION_COUNT, QUESTION_WAIT, QUESTION_PAGE };

/* What has been asked and is not answered. */
struct question {
    enum question_kind kind;
    const char *words;
    unsigned replies; /* still to come; 0: nothing is asked */
    int64_t asked_us;
    struct claims_moment asked;
    uint64_t wait_replicas;
    uint64_t wait_ms;
    bool has_count;
    uint64_t count;
    struct claimed_place place; /* by the INFO before a WAIT */
};

struct asker {
    enum asker_kind kind;
    unsigned host;
    unsigned to;
    uint16_t port;
    struct claims *claims;
    struct talker talker;
    unsigned life; /* alarms of an earlier connection mean nothing */
    int64_t pause_us;
    bool is_greeted; /* its first question is on its way */
    bool is_peaceful;
    int64_t peaceful_us;
    struct question question;
};

struct asker_life {
    struct asker *asker;
    unsigned life;
};

static const char *const commands[] = {
    "RELAY REPLICAS",
    "RELAY STORE",
    "RELAY AWAY",
    "CONFIG GET *",
    "CLIENT LIST",
    "CLIENT INFO",
    "ROLE",
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "LATENCY HISTOGRAM",
    "LATENCY DOCTOR",
    "LASTSAVE",
    "COMMAND COUNT",
    "COMMAND DOCS PING",
    "COMMAND INFO WAIT",
    "ACL LIST",
    "HELLO 3",
    "HELLO 2",
    "PING",
    "TIME",
    "DBSIZE",
    "CONFIG RESETSTAT",
    "CONFIG REWRITE",
    "WAITAOF 1 0 0",
    "RESET",
    "PUBLISH channel word",
    "MEMORY PURGE",
    "RELAY ACCEPT",
    "SLOWLOG GET",
    "CLIENT UNBLOCK 7777",
    "CLIENT KILL ID 7777",
    "NONSENSE a b c",
};

static const char *const sections[] = {
    "INFO", "INFO everything", "INFO replication", "INFO relay", "INFO store", "INFO stats",
};

static const char *const pages[] = {"/", "/status.json", "/metrics", "/healthz", "/readyz"};

static void on_asker_socket(struct socket *socket, void *arg);

struct asker *asker_new(enum asker_kind kind, unsigned host, unsigned to, uint16_t port,
                        struct claims *claims)
{
    struct asker *asker = calloc(1, sizeof *asker);
    CHECK(asker != NULL);
    *asker = (struct asker){.kind = kind, .host = host, .to = to, .port = port, .claims = claims};
    return asker;
}

void asker_set_peaceful(struct asker *asker)
{
    asker->is_peaceful = true;
    asker->peaceful_us = sim_now_us();
}

/* ---- its connection ---- */

static struct asker_life *asker_life(struct asker *asker)
{
    struct asker_life *life = malloc(sizeof *life);
    CHECK(life != NULL);
    *life = (struct asker_life){asker, asker->life};
    return life;
}

static bool take_asker_life(void *arg, struct asker **asker)
{
    struct asker_life life = *(struct asker_life *)arg;
    free(arg);
    *asker = life.asker;
    return life.asker->life == life.life;
}

/* A lost connection is followed by another one. */
static void on_asker_dial(void *arg)
{
    struct asker *asker;
    if (!take_asker_life(arg, &asker))
        return;
    talker_open(&asker->talker,
                socket_dial(asker->host, asker->to, asker->port, on_asker_socket, asker));
}

static void asker_lose(struct asker *asker)
{
    talker_close(&asker->talker);
    asker->question = (struct question){0};
    asker->is_greeted = false;
    asker->life++;
    alarm_in(random_between(SIM_MS, RETRY_US), on_asker_dial, asker_life(asker));
}

/* ---- questions ---- */

/* Words with a blank between them, as an array of bulk strings. */
static void say_words(struct talker *talker, const char *words)
{
    char text[1024];
    size_t used = 0;
    unsigned count = 0;
    for (const char *at = words; *at != '\0';) {
        size_t length = strcspn(at, " ");
        used += (size_t)snprintf(text + used, sizeof text - used, "$%zu\r\n%.*s\r\n", length,
                                 (int)length, at);
        count++;
        at += length;
        at += *at == ' ';
    }
    talker_say(talker, "*%u\r\n%s", count, text);
}

/* INFO, WAIT, INFO: if both tell the same id, the WAIT was for what the first tells, or for more. */
static void ask_wait(struct asker *asker)
{
    struct question *question = &asker->question;
    char words[64];
    question->kind = QUESTION_WAIT;
    question->words = "WAIT";
    question->replies = 3;
    question->wait_replicas = random_below(REPLICAS_ASKED);
    question->wait_ms = 1 + random_below(WAIT_MS_MOST);
    snprintf(words, sizeof words, "WAIT %" PRIu64 " %" PRIu64, question->wait_replicas,
             question->wait_ms);
    say_words(&asker->talker, "INFO replication");
    say_words(&asker->talker, words);
    say_words(&asker->talker, "INFO replication");
}

/* In a transaction both are of one moment. */
static void ask_count(struct asker *asker)
{
    asker->question.kind = QUESTION_COUNT;
    asker->question.words = "WAIT in a transaction";
    asker->question.replies = 4;
    say_words(&asker->talker, "MULTI");
    say_words(&asker->talker, "INFO replication");
    say_words(&asker->talker, "WAIT 3 0");
    say_words(&asker->talker, "EXEC");
}

static void ask_command(struct asker *asker)
{
    struct question *question = &asker->question;
    bool is_info = random_is_one_in(2);
    question->kind = is_info ? QUESTION_INFO : QUESTION_ANY;
    question->replies = 1;
    question->words = is_info ? sections[random_below(sizeof sections / sizeof sections[0])]
                              : commands[random_below(sizeof commands / sizeof commands[0])];
    if (!asker->is_peaceful && random_is_one_in(400)) {
        question->kind = QUESTION_ANY;
        question->words = "RELAY SNAPSHOT";
    }
    say_words(&asker->talker, question->words);
}

static void ask_page(struct asker *asker)
{
    asker->question.kind = QUESTION_PAGE;
    asker->question.replies = 1;
    asker->question.words = pages[random_below(sizeof pages / sizeof pages[0])];
    talker_say(&asker->talker, "GET %s HTTP/1.1\r\nHost: 10.0.0.%u:%u\r\n\r\n",
               asker->question.words, asker->to, asker->port);
}

static void on_ask(void *arg)
{
    struct asker *asker;
    if (!take_asker_life(arg, &asker) || asker->question.replies != 0)
        return;
    asker->question =
        (struct question){.asked_us = sim_now_us(), .asked = claims_moment(asker->claims)};
    if (asker->kind == ASKS_WAIT)
        ask_wait(asker);
    else if (asker->kind == ASKS_HTTP)
        ask_page(asker);
    else if (random_is_one_in(IN_MULTI_ONE_IN))
        ask_count(asker);
    else
        ask_command(asker);
}

/* Short pauses are as likely as long ones. */
static int64_t draw_pause_us(const struct asker *asker)
{
    return random_between(1, 1 + (asker->pause_us >> random_below(8)));
}

/* ---- answers ---- */

static bool is_first_of_wait(const struct question *question)
{
    return question->kind == QUESTION_WAIT && question->replies == 3;
}

/* Fewer than were asked for are told at the deadline and not before. */
static void take_wait_count(struct question *question, const char *reply)
{
    if (sscanf(reply, ":%" SCNu64, &question->count) != 1)
        return; /* the history is lost, or CLIENT UNBLOCK */
    question->has_count = true;
    int64_t waited_us =
        sim_now_us() - question->asked_us + SIM_MS; /* its clock counts whole ones */
    if (question->count < question->wait_replicas &&
        waited_us < (int64_t)question->wait_ms * SIM_MS)
        sim_fail("WAIT %" PRIu64 " %" PRIu64 " was answered with %" PRIu64 " after %" PRId64 " us",
                 question->wait_replicas, question->wait_ms, question->count, waited_us);
}

/* EXEC answers INFO and WAIT together. */
static void take_transaction(struct asker *asker, const char *reply)
{
    struct claimed_place place = claims_take_info(asker->claims, reply, &asker->question.asked);
    const char *at = strrchr(reply, ':');
    uint64_t count;
    if (reply[0] != '*' || at == NULL || sscanf(at, ":%" SCNu64, &count) != 1)
        return; /* EXEC was refused */
    if (place.timeline != NULL && sim_failure() == NULL)
        claims_take_wait(asker->claims, &place, count);
}

static void take_reply(struct asker *asker, const char *reply)
{
    struct question *question = &asker->question;
    struct claims *claims = asker->claims;
    if (question->kind == QUESTION_INFO) {
        (void)claims_take_info(claims, reply, &question->asked);
    } else if (question->kind == QUESTION_COUNT && question->replies == 1) {
        take_transaction(asker, reply);
    } else if (is_first_of_wait(question)) {
        question->place = claims_take_info(claims, reply, &question->asked);
    } else if (question->kind == QUESTION_WAIT && question->replies == 2) {
        take_wait_count(question, reply);
    } else if (question->kind == QUESTION_WAIT) {
        struct claimed_place after = claims_take_info(claims, reply, &question->asked);
        if (question->has_count && after.timeline != NULL &&
            after.timeline == question->place.timeline && sim_failure() == NULL)
            claims_take_wait(claims, &question->place, question->count);
    }
}

static void take_page(const struct asker *asker, const char *body, size_t length)
{
    if (strcmp(asker->question.words, "/status.json") == 0 && !reply_is_json(body, length))
        sim_fail("/status.json is no JSON: %.200s", body);
}

/* False: it is not whole. */
static bool take_answer(struct asker *asker)
{
    struct talker *talker = &asker->talker;
    bool is_page = asker->question.kind == QUESTION_PAGE;
    size_t body = 0;
    size_t length = is_page ? reply_http_length(talker->in, talker->in_length, &body)
                            : reply_length(talker->in, talker->in_length);
    if (length == REPLY_INVALID || (length > 0 && asker->question.replies == 0))
        sim_fail("%s was answered with %.100s", asker->question.words, (const char *)talker->in);
    if (length == 0 || length == REPLY_INVALID || sim_failure() != NULL)
        return false;
    char *text = malloc(length + 1);
    CHECK(text != NULL);
    memcpy(text, talker->in, length);
    text[length] = '\0';
    talker_drop(talker, length);
    if (is_page)
        take_page(asker, text + length - body, body);
    else
        take_reply(asker, text);
    free(text);
    if (--asker->question.replies == 0)
        alarm_in(draw_pause_us(asker), on_ask, asker_life(asker));
    return true;
}

static void check_patience(const struct asker *asker)
{
    const struct question *question = &asker->question;
    int64_t from_us =
        question->asked_us > asker->peaceful_us ? question->asked_us : asker->peaceful_us;
    int64_t most_us = ANSWER_US_MOST + (int64_t)question->wait_ms * SIM_MS;
    if (asker->is_peaceful && question->replies > 0 && sim_now_us() - from_us > most_us)
        sim_fail("%s is not answered for %" PRId64 " s", question->words,
                 (sim_now_us() - question->asked_us) / SIM_S);
}

/* The relay's host has lost its power after the question came. */
static bool is_deserted(const struct asker *asker)
{
    return asker->talker.socket->peer->is_closed && asker->question.replies > 0 &&
           sim_now_us() - asker->question.asked_us > DESERTED_US;
}

static void on_asker_tick(void *arg)
{
    struct asker *asker;
    if (!take_asker_life(arg, &asker))
        return;
    if (is_deserted(asker)) {
        asker_lose(asker);
        return;
    }
    check_patience(asker);
    alarm_in(TICK_US, on_asker_tick, asker_life(asker));
}

static void on_asker_socket(struct socket *socket, void *arg)
{
    struct asker *asker = arg;
    struct talker *talker = &asker->talker;
    if (talker->socket != socket || socket->state == SOCKET_CONNECTING)
        return;
    if (socket->state == SOCKET_UP && !asker->is_greeted) {
        asker->is_greeted = true;
        alarm_in(TICK_US, on_asker_tick, asker_life(asker));
        alarm_in(draw_pause_us(asker), on_ask, asker_life(asker));
    }
    talker_receive(talker, SIZE_MAX);
    while (talker->in_length > 0 && sim_failure() == NULL && take_answer(asker)) {
    }
    if (talker->has_ended)
        asker_lose(asker);
    else
        talker_flush(talker);
}

void asker_start(struct asker *asker, int64_t pause_us)
{
    asker->pause_us = pause_us;
    asker_lose(asker);
}
