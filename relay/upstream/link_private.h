/* SPDX-License-Identifier: MIT
 *
 * The link from inside. link.c is the state machine. Each of the other files knows one thing. It changes no state:
 * it says in an outcome what an event has led to. A file calls only files below its own:
 *
 *     link             states and events; REPLICAOF; opened and closed
 *     link_connect     connecting
 *     link_two_channel the RDB and the stream of a full sync, over two connections
 *     link_loading     the RDB of a full sync
 *     link_stream      the stream, and its acknowledgement
 *     link_refresh     newer snapshots, on a connection of their own
 *     link_report      what is told
 *     link_handshake   the handshake, and what its answer makes of our history
 *     link_cut_off     why the primary has ended a full sync
 *     link_retry       when the next attempt is, and at whom
 *     link_version     the version that is announced
 *     link_choice      whom we follow, and whose history may be taken
 *     link_settings    what may change while the link is open
 *     link_failure     how a connection is given up, and who is to blame
 *     link_outcome     what an event has led to
 *
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_LINK_PRIVATE_H
#define RELAY_UPSTREAM_LINK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "candidates.h"
#include "handshake.h"
#include "link_outcome.h"
#include "link_state_private.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/resp/psync.h"
#include "relay/upstream/link.h"

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

/* A turn ends: the disk may have what a state waits for. */
void link_look_at_disk(struct link *link);

/* Does the disk still have to take a cut or another id? No attempt begins before that. True: the timer is armed. */
MUST_CHECK bool link_waits_for_settling(struct link *link);

/* Begins the history that the reply announces; in the store it is the arriving one. False: `outcome`. */
MUST_CHECK bool link_begin_history(struct link *link, const struct psync_reply *reply,
                                   struct link_outcome *outcome);

/* ------------------------------------------------------------------ link_two_channel.c */

/* Are the two variants offered to the primary? A refusal counts for the next full sync. */
bool link_offers_rdb_channel(const struct link *link);
void link_forget_refusal(struct link *link);

/* The primary has answered so: the state is to be LINK_LOADING, which opens the other connection. */
void link_choose_two_channel(struct link *link, const struct psync_reply *reply,
                             struct link_outcome *outcome);
void link_open_rdb_channel(struct link *link);

/* The RDB's connection: X is known; all of the RDB is there; it has failed (is_answer: by what the primary has said). */
void link_begin_rdb(struct link *link, struct link_outcome *outcome);
void link_end_rdb(struct link *link, struct link_outcome *outcome);
void link_lose_rdb_channel(struct link *link, bool is_answer, const char *why,
                           struct link_outcome *outcome);

/* The link's connection: bytes, or its end. */
void link_take_two_channel(struct link *link, struct link_outcome *outcome);
void link_lose_two_channel(struct link *link, struct link_outcome *outcome);

/* It is over, good or bad: closes the RDB's connection. */
void link_end_two_channel(struct link *link);

/* Has the stream come as far as it may before the RDB is whole? */
bool link_is_sync_backlog_full(const struct link *link);

/* Every second, while loading. */
void link_tick_two_channel(struct link *link);

/* ------------------------------------------------------------------ link_settings.c */

/* Of the connections that are made from now on. */
void link_set_congestion(struct link *link, const char *congestion);

/* ------------------------------------------------------------------ link_loading.c */

/* The snapshot that a full sync is filling; NULL: there is no full sync. */
struct snapshot *link_arriving(const struct link *link);

void link_begin_loading(struct link *link);
void link_take_rdb(struct link *link, struct link_outcome *outcome);
/* The RDB is whole: has the disk made its history the current one? To be asked again, unless the outcome says what
 * comes then. */
MUST_CHECK bool link_promote(struct link *link, struct link_outcome *outcome);

/* What takes the RDB. */
const struct rdb_receiver *link_rdb_receiver(const struct link *link);

/* Has the disk done, or refused, what loading waits for? */
bool link_loading_goes_on(const struct link *link);

/* ------------------------------------------------------------------ link_stream.c */

/* The state is LINK_STREAMING, and machine.previous the one that the stream begins behind. */
void link_begin_stream(struct link *link);

/* The stream of this history comes, from its boundary on. */
void link_begin_receiving(struct link *link, struct history *history);

/* A turn ends: what a pause waits for may have come. */
void link_look_at_pause(struct link *link);

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

/* ------------------------------------------------------------------ link_refresh.c, link_version.c, link_failure.c */

/* Fetches a newer snapshot, if there is need and it is time. */
void link_consider_refresh(struct link *link);

/* What is announced to the primary. */
uint32_t link_version_now(const struct link *link);

/* While streaming the server was good: it is the first to be tried again. Else it was of no use, and the next
 * candidate is tried. */
void link_fail(const struct link *link, struct link_outcome *outcome, const char *cause,
               const char *why);

/* The connection is broken. */
void link_fail_broken(const struct link *link, struct link_outcome *outcome);

/* `why`, in the handshake with the command that was not answered. */
const char *link_at_step(const struct link *link, const char *why, char out[LINK_WHY_MAX]);

#endif
