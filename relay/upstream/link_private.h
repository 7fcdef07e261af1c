/* SPDX-License-Identifier: MIT
 *
 * The link from inside. link.c is the state machine. Each of the other files knows one thing. It changes no state:
 * it says in an outcome what an event has led to. A file calls only files below its own:
 *
 *     link             states and events; REPLICAOF; opened and closed
 *     link_connect     connecting
 *     link_loading     the RDB of a full sync
 *     link_stream      the stream, and its acknowledgement
 *     link_refresh     newer snapshots, on a connection of their own
 *     link_status      what is told
 *     link_handshake   the handshake, and what its answer makes of our history
 *     link_cut_off     why the primary has ended a full sync
 *     link_retry       when the next attempt is, and at whom
 *     link_version     the version that is announced
 *     link_choice      whom we follow, and whose history may be taken
 *     link_settings    what may change while the link is open
 *     link_outcome     what an event has led to
 *
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_LINK_PRIVATE_H
#define RELAY_UPSTREAM_LINK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ack_tracker.h"
#include "announced_version.h"
#include "candidates.h"
#include "connect_race.h"
#include "cut_off.h"
#include "link_outcome.h"
#include "parent_watch.h"
#include "ping_period.h"
#include "rdb_receiver.h"
#include "refresh_schedule.h"
#include "relay/base/check.h"
#include "relay/base/log_repeat.h"
#include "relay/base/replid.h"
#include "relay/base/state_machine.h"
#include "relay/upstream/link.h"
#include "server_conn.h"
#include "stream_receiver.h"

struct loop;
struct store;
struct timer;

enum { LINK_ERROR_MAX = LINK_WHY_MAX + 32 };

struct link {
    struct loop *loop;
    struct store *store;
    struct link_options options;
    struct link_callbacks callbacks;
    struct renames renames;
    struct log_repeat trouble;    /* the primary cannot be had */
    const char *run_id;           /* NULL: not told */
    struct state_machine machine; /* enum link_state */
    struct timer *timer;
    struct candidates candidates;
    struct connect_race race; /* connecting: to whose turn it is, and to those beside it */
    struct server_conn server_conn;
    struct rdb_receiver rdb_receiver;       /* loading */
    struct stream_receiver stream_receiver; /* streaming */
    struct ack_tracker ack_tracker;         /* streaming */
    struct refresh_schedule refresh_schedule;
    struct ping_period ping_period;
    struct parent_watch parent;
    struct announced_version announced;
    bool must_be_primary;    /* who told of it says that it is: a replica is passed over */
    bool is_unconfirmed;     /* a Sentinel is to say who the primary is, and none has yet */
    bool told_wait;          /* that another history waits to be taken */
    bool must_start_anew;    /* the store could not cut the history: only a full sync helps */
    unsigned failures;       /* since the stream flowed last */
    unsigned broken_streams; /* that were refused at broken_at, one after the other */
    uint64_t broken_at;      /* the boundary */
    uint64_t began_offset;   /* the boundary when streaming began */
    unsigned denied;         /* PRIMARY_RIGHT_*, at the last server that answered to PSYNC */
    int64_t full_sync_ms;    /* when the one began behind which no stream has come yet; 0: none */
    struct cut_off cut_off;  /* the last full sync, where the primary ended it */
    bool has_disconnections; /* it told how many it has closed: */
    uint64_t disconnections;
    char cut_what[CUT_OFF_WORDS_MAX]; /* what it said when it was asked; "": it was not yet */
    char cut_advice[CUT_OFF_WORDS_MAX];
    int64_t opened_ms;
    int64_t down_since_ms;
    int64_t
        old_history_since_ms; /* the primary has told of a history that is not here yet; 0: no */
    int64_t up_since_ms;
    int64_t
        held_since_ms; /* nothing is read until the store is ready for more, which is soon; 0: it is */
    bool awaits_segment;      /* namely until the next segment is made */
    int64_t stalled_since_ms; /* nothing is read, since the disk has no room for it; 0: it is */
    int64_t
        stream_heard_ms;   /* the last byte of the stream, or of an RDB that was whole; 0: never */
    struct replid next_id; /* rewinding: the stream goes on under it */
    uint64_t full_syncs;
    uint64_t partial_syncs;
    uint64_t attempts;
    bool chain_is_complete;
    char chain[RUN_ID_CHAIN_TEXT_MAX]; /* run ids above us, since streaming began */
    char last_error[LINK_ERROR_MAX];
    char veto[LINK_WHY_MAX]; /* why a server was passed over */
};

static inline enum link_state link_state(const struct link *link)
{
    return (enum link_state)link->machine.state;
}

/* ------------------------------------------------------------------ link_connect.c */

/* It is this candidate's turn. */
void link_begin_connecting(struct link *link);

/* The timer of that state; a place of the race has changed. */
void link_look_at_race(struct link *link, struct link_outcome *outcome);
void link_note_race(struct link *link, size_t place, struct link_outcome *outcome);

/* ------------------------------------------------------------------ link_handshake.c */

/* Who we are, and what we ask for. */
struct handshake_terms link_terms(struct link *link);

/* Whom we log in as at the primary. */
const char *link_user(const struct link *link);

void link_begin_handshake(struct link *link);
void link_take_answer(struct link *link, struct link_outcome *outcome);

/* The end of the history is cut off before the stream goes on: nothing is read meanwhile. */
void link_begin_rewinding(struct link *link);
void link_look_at_rewind(struct link *link, struct link_outcome *outcome);

/* A turn ends: the disk may have what a rewind waits for. */
void link_look_at_cut(struct link *link);

/* ------------------------------------------------------------------ link_loading.c */

void link_begin_loading(struct link *link);
void link_take_rdb(struct link *link, struct link_outcome *outcome);

/* ------------------------------------------------------------------ link_stream.c */

void link_begin_stream(struct link *link, enum link_state from);

/* There is something to read; a pause is over. */
void link_take_stream(struct link *link, struct link_outcome *outcome);

void link_acknowledge(struct link *link);

/* A turn ends: answers GETACK. */
void link_answer_getack(struct link *link);

/* ------------------------------------------------------------------ link_cut_off.c */

/* The primary has ended the connection while loading; while streaming. */
void link_fail_cut_off(struct link *link, struct link_outcome *outcome, const char *why);
void link_fail_stream(struct link *link, struct link_outcome *outcome, const char *why);

/* The stream flows. */
void link_forget_cut_off(struct link *link);

/* Is this server to be asked why it did? It has been. */
bool link_asks_limits(const struct link *link);
void link_judge_cut_off(struct link *link);

/* ------------------------------------------------------------------ link_choice.c */

/* Who is followed, or tried; a nobody while it is not known where the primary is. */
const struct primary_address *link_primary(const struct link *link);

/* The rule by which another history is taken. */
struct candidates_rule link_rule(const struct link *link);

/* What a server says of itself, judged (for handshake_terms, `arg` is the link). */
const char *link_judge(const struct primary_info *info, void *arg);
bool link_wants_keys(const struct primary_info *info, void *arg);

/* May its full sync begin? False: `why`. */
MUST_CHECK bool link_may_begin(struct link *link, const struct psync_reply *reply,
                               struct text *why);

/* What waits to be taken; that in the log, where it has changed. */
void link_wait_status(const struct link *link, struct link_wait *out);
void link_tell_wait(struct link *link);

/* ------------------------------------------------------------------ link_retry.c */

/* A full sync with the current candidate has come to nothing: the next attempt at it waits for longer each
 * time. */
void link_note_full_failure(struct link *link);

/* The connection was given up. Chooses the candidate that is tried next; returns the delay until then, in ms.
 * *ends_round: all candidates have been tried, or the same one is tried again. */
int64_t link_next_attempt_ms(struct link *link, bool stays, bool *ends_round);

/* The backoff is over: must the link go on waiting, since the RDB would find no room? True: the timer is armed. */
MUST_CHECK bool link_waits_for_room(struct link *link);

/* How long the server may be silent before the connection is given up, in ms. Shorter in connecting and handshake
 * where there are other candidates. */
int64_t link_silence_ms_max(const struct link *link);

/* ------------------------------------------------------------------ link_refresh.c, link_version.c */

/* Fetches a newer snapshot, if there is need and it is time. */
void link_consider_refresh(struct link *link);

/* What is announced to the primary. */
uint32_t link_version_now(const struct link *link);

#endif
