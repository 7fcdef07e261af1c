/* SPDX-License-Identifier: MIT
 *
 * Stands in for the components that admin talks to: store, upstream and downstream are plain values that
 * a test sets, clients are told commands as lines, and what a room is asked to do is written down.
 */
#ifndef TESTS_SUPPORT_FAKE_COMPONENTS_H
#define TESTS_SUPPORT_FAKE_COMPONENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/archive/archive.h"
#include "relay/downstream/client.h"
#include "relay/downstream/delayed.h"
#include "relay/downstream/downstream.h"
#include "relay/downstream/known.h"
#include "relay/store/branches.h"
#include "relay/store/identity.h"
#include "relay/store/status.h"
#include "relay/store/time_index.h"
#include "relay/upstream/link.h"

enum { FAKE_PEERS_MAX = 8 };

/* What the components are, and what they say of themselves. */
struct fake_components {
    struct delayed_status delayed;
    const char *hold_error; /* what RELAY PAUSE and RESUME say; NULL: done */
    uint64_t paused;        /* the id */
    struct known_who resumed;
    bool has_until;
    uint64_t until;
    size_t hold_count;
    struct hold_status holds[2];
    struct time_answer came; /* whatever the time */
    bool has_history;
    uint64_t history_number;
    struct identity identity;
    struct branches branches;
    uint64_t first;
    uint64_t published;
    uint64_t end;
    uint64_t boundary;
    uint64_t published_boundary;
    bool has_snapshot;
    int64_t snapshot_completed_ms;
    struct store_status store;
    struct archive_status archive;

    struct link_status link;
    struct hops above;  /* what relays above tell */
    int64_t silence_ms; /* while link.stream_heard_ms is 0 */
    struct ack_rule ack;
    unsigned refreshes_asked;             /* asked for by link_refresh_now */
    const char *refresh_schedule_refusal; /* what it says; NULL: nothing against it */
    unsigned retries;                     /* asked for by link_retry */
    unsigned acceptances;                 /* asked for by link_accept */
    struct primary_address accepted;      /* by the last; port 0: none was named */
    const char *acceptance_refusal;       /* what it says; NULL: nothing against it */

    uint16_t port;
    struct downstream_counts counts;
    struct peer_status replicas[FAKE_PEERS_MAX];
    size_t replica_count;
    struct known_status away[FAKE_PEERS_MAX];
    struct known_counts known;  /* `away` as it counts */
    struct known_who forgotten; /* whom known_forget was given last; its address is the test's */
    char forgotten_address[64];
    size_t forgets; /* what it says */
    struct sync_failure sync_failures[FAKE_PEERS_MAX];
    size_t sync_failure_count;
    size_t crowd;   /* so many more like the first one, each a byte further behind */
    unsigned looks; /* at what replicas have acknowledged */
    struct client *clients[FAKE_PEERS_MAX];
    size_t client_count;
    uint64_t killed
        [FAKE_PEERS_MAX]; /* by downstream_kill, in order; one for which something is kept is gone */
    size_t killed_count;
    unsigned replicas_refused;
    char refusal_cause[256]; /* of the last */
    bool psync_takes;        /* what client_psync returns; true: the client is gone */
};

extern struct fake_components fake_components;

/* All as in a relay that has just been started and has nothing; peers of the last test are gone. */
void fake_components_reset(void);

/* Handles to be given to commands_open; nobody looks behind them. */
struct store *fake_store(void);
struct link *fake_link(void);
struct downstream *fake_downstream(void);

/* A connected client, listed by downstream_each_client until fake_components_reset. */
struct client *fake_client(uint64_t id, const char *peer);

/* Lets the client send an inline command, and returns what it got for it; valid until the next. The
 * replies are muted as downstream/client.c does it for CLIENT REPLY. One that is held says nothing. */
struct bytes fake_client_says(struct client *client, client_command_fn *on_command, void *arg,
                              const char *line);

/* What it was sent outside of its own commands, since the last time; valid until the next. */
struct bytes fake_client_heard(struct client *client);

/* It closes its connection. */
void fake_client_leaves(struct client *client);

/* Why client_finish was called, or CLOSE_REASON_COUNT. */
enum close_reason fake_client_finished(const struct client *client);
/* Has it become a replica? */
bool fake_client_is_gone(const struct client *client);

#endif
