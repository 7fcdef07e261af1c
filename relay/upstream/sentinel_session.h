/* SPDX-License-Identifier: MIT
 *
 * What is said on a connection to a Sentinel: where the primary of the group is (the question), then what the Sentinel
 * publishes, with a PING every second. The session judges each reply and tells the owner what came of it.
 *
 *     sentinel_session_ask ---> sentinel_session_receive: MORE ... ANSWERED ---> MORE ... (messages, PONGs)
 *                                       `--> FAILED: the Sentinel cannot be believed
 *
 * Owner: the watcher of Sentinels. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_SENTINEL_SESSION_H
#define RELAY_UPSTREAM_SENTINEL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/resp/reply.h"
#include "relay/upstream/sentinel_options.h"

struct conn;

/* What the Sentinel says, told from within sentinel_session_receive. The owner leaves the session alone meanwhile. */
struct sentinel_news {
    void (*on_answer)(const struct primary_address *primary, void *arg); /* to the question */
    void (*on_switch)(const struct primary_address *primary, void *arg); /* the primary has moved */
    void (*on_promotion)(
        void *arg); /* a replica is being promoted: the question has another answer soon */
    void (*on_pong)(void *arg);
    void *arg;
};

struct sentinel_session {
    const struct sentinel_options *options;
    struct sentinel_news news;
    struct conn *conn;  /* the session's own; NULL: none */
    size_t step;        /* the reply that is awaited */
    bool has_listened;  /* the question is asked on a connection that was listened to before */
    bool is_pinged;     /* the PONG has not come yet */
    int64_t last_io_ms; /* clock_ms of the last byte received, or of coming up */
    struct text out;
    size_t in_length;
    uint8_t in[REPLY_LENGTH_MAX];
};

/* The options are the caller's and outlive the session. */
void sentinel_session_init(struct sentinel_session *session, const struct sentinel_options *options,
                           const struct sentinel_news *news);
void sentinel_session_fini(struct sentinel_session *session);

/* The connection, which is up, is the session's from now on. */
void sentinel_session_begin(struct sentinel_session *session, struct conn *conn);
void sentinel_session_close(struct sentinel_session *session);

/* Asks where the primary is, and to be told when it moves. */
void sentinel_session_ask(struct sentinel_session *session);

/* Sends a PING, unless the last one has no answer yet. */
void sentinel_session_ping(struct sentinel_session *session);

/* There is room to send. A connection that is broken is told by CONN_EVENT_DOWN. */
void sentinel_session_flush(struct sentinel_session *session);

enum sentinel_result {
    SENTINEL_MORE,     /* nothing, or not all of it */
    SENTINEL_ANSWERED, /* all that sentinel_session_ask asked for */
    SENTINEL_BROKEN,   /* the connection: `why` */
    SENTINEL_REFUSED,  /* it said what cannot be believed: `why` */
};

/* There is something to read. ANSWERED is also said of what comes behind the last answer. */
MUST_CHECK enum sentinel_result sentinel_session_receive(struct sentinel_session *session,
                                                         struct text *why);

#endif
