/* SPDX-License-Identifier: MIT
 *
 * The link from inside, for the files that are its parts: link.c is the machine, link_handshake.c what we
 * ask for and what the answer makes of our history, link_choice.c whom we follow and whose history may be
 * taken, link_space.c the wait for room for the RDB, link_version.c the version that is announced, link_stream.c
 * the stream and its acknowledgement.
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
#include "parent_watch.h"
#include "ping_period.h"
#include "rdb_receiver.h"
#include "refresh_schedule.h"
#include "relay/base/check.h"
#include "relay/base/log_repeat.h"
#include "relay/base/replid.h"
#include "relay/upstream/link.h"
#include "server_conn.h"
#include "stream_receiver.h"

struct loop;
struct store;
struct timer;

enum { LINK_WHY_MAX = 512 };

/* Events reach the state's handler; CONN_EVENT_* of the connection and our own timer. */
enum link_event { LINK_UP, LINK_READABLE, LINK_WRITABLE, LINK_DOWN, LINK_TIMER };

struct link {
    struct loop *loop;
    struct store *store;
    struct link_options options;
    struct link_callbacks callbacks;
    struct renames renames;
    struct log_repeat trouble; /* the primary cannot be had */
    const char *run_id;        /* NULL: not told */
    enum link_state state;
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
    char last_error[LINK_WHY_MAX];
    char veto[LINK_WHY_MAX]; /* why a server was passed over */
};

const char *link_state_name(const struct link *link);

/* Who is followed, or tried; a nobody while it is not known where the primary is. */
const struct primary_address *link_primary(const struct link *link);

/* Whom we log in as at the primary. */
const char *link_user(const struct link *link);

/* The only place where the state changes. `cause` ends the log line: a word, then what belongs to it. */
void link_enter(struct link *link, enum link_state state, const char *cause, ...) PRINTF_LIKE(3, 4);

/* Lets go of the connection and rests, or tries the next candidate. `cause` is a word. */
void link_fail(struct link *link, const char *cause, const char *why);
void link_fail_broken(struct link *link);

/* The same, where not the primary is to blame: it is tried again. */
void link_fail_store(struct link *link, const char *why);

/* A full sync with the current candidate has come to nothing: the next attempt at it waits for longer each
 * time. */
void link_note_full_failure(struct link *link);

/* link_handshake.c: who we are and what we ask for; the answers so far. */
struct handshake_terms link_terms(struct link *link);
void link_greet(struct link *link);

/* link.c: the turn ends, and the disk may have what a rewind waits for; link_handshake.c: goes on if it has. */
void link_look(struct link *link);
void link_rewind(struct link *link);

/* link_connect.c: it is this candidate's turn; the timer of that state; a place of the race has changed. */
void link_begin_connecting(struct link *link);
void link_look_at_race(struct link *link);
void link_on_race(size_t place, void *arg);

/* link_choice.c: the rule by which another history is taken; what a server says of itself, judged (for
 * handshake_terms, `arg` is the link); may its full sync begin? (false: `why`); what waits, and that in the
 * log where it has changed. */
struct candidates_rule link_rule(const struct link *link);
const char *link_judge(const struct primary_info *info, void *arg);
bool link_wants_keys(const struct primary_info *info, void *arg);
MUST_CHECK bool link_may_begin(struct link *link, const struct psync_reply *reply,
                               struct text *why);
void link_wait_status(const struct link *link, struct link_wait *out);
void link_tell_wait(struct link *link);
/* link_version.c: what is announced. */
uint32_t link_version_now(const struct link *link);

/* link_cut_off.c: the primary has ended the connection while loading; while streaming; the stream flows; is this
 * server to be asked why it did; it has been. */
void link_fail_cut_off(struct link *link, const char *why);
void link_fail_stream(struct link *link, const char *why);
void link_forget_cut_off(struct link *link);
bool link_asks_limits(const struct link *link);
void link_judge_cut_off(struct link *link);

/* Fetches a newer snapshot, if there is need and it is time. */
void link_consider_refresh(struct link *link);

/* link_space.c: it rests, and its time has come: should it rest on, since the RDB would find no room? True: the timer
 * is armed. */
MUST_CHECK bool link_waits_for_room(struct link *link);

/* link_stream.c: takes what has come; acknowledges now. */
void link_begin_stream(struct link *link);
void link_take_stream(struct link *link);
void link_acknowledge(struct link *link);

#endif
