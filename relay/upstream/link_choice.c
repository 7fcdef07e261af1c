/* SPDX-License-Identifier: MIT
 *
 * Who may be followed, and whose history may be taken in place of ours:
 *
 *   - a single server that the settings or REPLICAOF name is followed whatever it is, in a chain also a
 *     replica, and its history is taken: it was named;
 *   - of several, or one that a Sentinel told of, only who goes on with our history, at once. Another history
 *     is taken when failover-grace is over, or nobody is left who might have ours; from a list never one that
 *     was there beside ours. REPLICAOF and RELAY ACCEPT end the wait;
 *   - prefer says whether a replica that goes on with our history waits for a primary of the list to be found;
 *   - before the first answer of a Sentinel nobody's full sync is taken while there is a history to lose.
 *
 * It is looked at first (INFO), so that a server whose history is not wanted need not fork. Who has not the
 * right to ask learns it from the answer to PSYNC, and closes before the RDB.
 *
 * A loop is known by run ids: a relay tells those above it. Other replicas do not; what they show that nobody
 * behind us can is a byte that we do not have.
 */
#include "link_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

/* INFO tells whole seconds, and we see a loss later than it happened. */
enum { UPTIME_SLACK_MS = 2000 };

const struct primary_address *link_primary(const struct link *link)
{
    static const struct primary_address nobody = {.host = "", .port = 0};
    const struct primary_address *current = candidates_current(&link->candidates);
    return current != NULL ? current : &nobody;
}

enum kinship {
    KINSHIP_OURS,    /* it has our history, or we have none */
    KINSHIP_EARLIER, /* one that ours has come from: it was left behind, or parted from ours */
    KINSHIP_NONE,
    KINSHIP_UNTOLD,
};

static bool is_earlier(const struct identity *identity, const struct replid *replid)
{
    for (size_t i = 0; i < identity->earlier_count; i++) {
        if (replid_equal(&identity->earlier[i].replid, replid))
            return true;
    }
    return false;
}

/* By ids alone: ours, or one that ours has had before. An id that we never had says nothing of
 * when it began, which was_there_beside_ours looks at. */
static enum kinship kinship_of(const struct link *link, const struct primary_info *info)
{
    const struct replid none = replid_none();
    const struct history *history = store_current(link->store);
    if (history == NULL)
        return KINSHIP_OURS;
    if (replid_equal(&info->replid, &none))
        return KINSHIP_UNTOLD;
    const struct identity *identity = history_identity(history);
    if (primary_info_knows(info, &identity->replid))
        return KINSHIP_OURS;
    bool earlier = is_earlier(identity, &info->replid) || is_earlier(identity, &info->replid2);
    return earlier ? KINSHIP_EARLIER : KINSHIP_NONE;
}

/* Whoever it is, it was named, or there is nobody else who could be meant. */
static bool takes_any_history(const struct link *link)
{
    bool is_single = !candidates_have_choice(&link->candidates);
    bool is_named = !link->must_be_primary || link->options.failover_grace_ms == 0;
    return store_current(link->store) == NULL || (is_single && is_named && !link->is_unconfirmed);
}

static bool was_chosen_for_other_history(const struct link *link)
{
    const struct candidates *candidates = &link->candidates;
    return candidates->is_chosen && (candidates->chosen_for == CANDIDATE_UNRELATED ||
                                     candidates->chosen_for == CANDIDATE_FOREIGN);
}

struct candidates_rule link_rule(const struct link *link)
{
    return (struct candidates_rule){
        .grace_ms = link->options.failover_grace_ms,
        .is_list = candidates_have_choice(&link->candidates),
        .waits_for_sentinels = link->is_unconfirmed,
    };
}

/* ------------------------------------------------------------------ what a server says of itself */

static const char *link_refuse(struct link *link, enum candidate_answer answer, const char *format,
                               ...) PRINTF_LIKE(3, 4);

static const char *link_refuse(struct link *link, enum candidate_answer answer, const char *format,
                               ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(link->veto, sizeof(link->veto), format, list);
    va_end(list);
    candidates_current_row(&link->candidates)->answer = answer;
    return link->veto;
}

/* It was there while ours still flowed and is none of ours: another group's primary, or one that was left
 * behind. One without keys loses nobody's, and may be ours, begun anew. */
static bool was_there_beside_ours(const struct link *link, const struct primary_info *info)
{
    const struct replid none = replid_none();
    if (!replid_equal(&info->replid2, &none))
        return true;
    int64_t lost_ms = link->down_since_ms > 0 ? link->down_since_ms : link->opened_ms;
    int64_t without_ms = clock_ms() - lost_ms + UPTIME_SLACK_MS;
    return info->has_keys && info->uptime_s > (uint64_t)without_ms / 1000;
}

static const char *judge_history(struct link *link, const struct primary_info *info,
                                 enum kinship kinship)
{
    if (kinship == KINSHIP_OURS || kinship == KINSHIP_UNTOLD || takes_any_history(link))
        return NULL;
    bool is_foreign = kinship == KINSHIP_NONE && info->is_primary &&
                      candidates_have_choice(&link->candidates) &&
                      was_there_beside_ours(link, info);
    candidates_current_row(&link->candidates)->replid = info->replid;
    const char *why = link_refuse(link, is_foreign ? CANDIDATE_FOREIGN : CANDIDATE_UNRELATED,
                                  "it has another history%s: %s",
                                  is_foreign                   ? ", which existed beside ours"
                                  : kinship == KINSHIP_EARLIER ? ", which parted from ours earlier"
                                                               : "",
                                  info->replid.hex);
    return was_chosen_for_other_history(link) ? NULL : why;
}

static bool looks_like_own_replica(const struct link *link, const struct primary_info *info)
{
    const struct link_callbacks *callbacks = &link->callbacks;
    return callbacks->is_own_replica(conn_peer_address(link->server_conn.conn),
                                     link_primary(link)->port, callbacks->arg) ||
           callbacks->is_own_replica(info->primary.host, info->primary.port, callbacks->arg);
}

/* Not behind us, as far as that can be known: a relay whose chain leads to a primary, or somebody with bytes
 * that we do not have, or with a history that we never had. */
static bool leads_elsewhere(const struct link *link, const struct primary_info *info,
                            enum kinship kinship)
{
    struct history *history = store_current(link->store);
    if (info->chain.is_complete || kinship == KINSHIP_NONE || history == NULL)
        return true;
    return kinship == KINSHIP_OURS && info->offset > history_end(history);
}

/* It may be the other relay of a pair, which turns to the primary as we do: see candidates.h. */
static void link_choice_note_coming(struct link *link, const struct primary_info *info)
{
    struct candidate *row = candidates_current_row(&link->candidates);
    row->may_come = info->is_relay;
    row->is_awaited = info->is_relay && info->is_syncing && store_current(link->store) == NULL;
}

/* Of several, a replica is followed only where the round finds no primary that goes on with ours, unless `prefer`
 * makes no difference between the two. */
static const char *judge_listed_replica(struct link *link, const struct primary_info *info,
                                        enum kinship kinship)
{
    const struct candidates *candidates = &link->candidates;
    const struct primary_address *primary = &info->primary;
    bool may_be_promoted = kinship == KINSHIP_OURS && store_current(link->store) != NULL;
    enum candidate_answer otherwise = may_be_promoted ? CANDIDATE_KEEPER : CANDIDATE_USELESS;
    if (!info->link_is_up) {
        link_choice_note_coming(link, info);
        return link_refuse(link, otherwise,
                           "it is a replica of %s:%" PRIu16 ", and its link is down", primary->host,
                           primary->port);
    }
    if (!leads_elsewhere(link, info, kinship))
        return link_refuse(link, otherwise,
                           "it is a replica of %s:%" PRIu16 ", and has no more than this relay",
                           primary->host, primary->port);
    if (kinship == KINSHIP_NONE || candidates->prefer != PRIMARY_PREFER_PRIMARY)
        return NULL; /* as a primary's */
    const char *why = link_refuse(link, CANDIDATE_REPLICA,
                                  "it is a replica of %s:%" PRIu16 ": primaries are asked first",
                                  primary->host, primary->port);
    return candidates->is_chosen && candidates->chosen_for == CANDIDATE_REPLICA ? NULL : why;
}

static const char *link_choice_judge_replica(struct link *link, const struct primary_info *info,
                                             enum kinship kinship)
{
    if (!leads_elsewhere(link, info, kinship) && looks_like_own_replica(link, info))
        return link_refuse(
            link, CANDIDATE_USELESS,
            "it is a replica, has no more than this relay, and comes from where a replica "
            "of this relay does");
    if (candidates_have_choice(&link->candidates))
        return judge_listed_replica(link, info, kinship);
    if (!link->must_be_primary)
        return NULL;
    return link_refuse(link, CANDIDATE_USELESS, "it is a replica of %s:%" PRIu16,
                       info->primary.host, info->primary.port);
}

const char *link_judge(const struct primary_info *info, void *arg)
{
    struct link *link = arg;
    enum kinship kinship = kinship_of(link, info);
    if (link->run_id != NULL && strcmp(info->run_id, link->run_id) == 0)
        return link_refuse(link, CANDIDATE_USELESS, "it is this relay itself");
    if (link->run_id != NULL && run_id_chain_has(&info->chain, link->run_id))
        return link_refuse(link, CANDIDATE_USELESS, "it follows this relay");
    if (info->has_role) /* where it fails later: it may be better the next time */
        candidates_current_row(&link->candidates)->answer = CANDIDATE_KEEPER;
    if (info->has_role && !info->is_primary) {
        const char *why = link_choice_judge_replica(link, info, kinship);
        if (why != NULL)
            return why;
    }
    return judge_history(link, info, kinship);
}

/* Only where the answer could make a difference: INFO keyspace is one more command for a server
 * that may be loaded. */
bool link_wants_keys(const struct primary_info *info, void *arg)
{
    const struct link *link = arg;
    return info->is_primary && candidates_have_choice(&link->candidates) &&
           kinship_of(link, info) == KINSHIP_NONE;
}

/* ------------------------------------------------------------------ what it answers to PSYNC */

bool link_may_begin(struct link *link, const struct psync_reply *reply, struct text *why)
{
    struct history *history = store_current(link->store);
    const struct primary_info *info = &link->server_conn.handshake.info;
    struct candidate *candidate = candidates_current_row(&link->candidates);
    if (takes_any_history(link) || was_chosen_for_other_history(link))
        return true;
    bool is_ours = replid_equal(&reply->replid, &history_identity(history)->replid) ||
                   (info->has_role && kinship_of(link, info) == KINSHIP_OURS);
    candidate->was_declined = true;
    if (link->is_unconfirmed && !link->must_start_anew) {
        text_format(why, "it offers a full sync only, and no Sentinel has answered yet whether it "
                         "is the primary");
        return false;
    }
    if (!is_ours && (link->options.failover_grace_ms != 0 || link->is_unconfirmed)) {
        candidate->answer = CANDIDATE_UNRELATED;
        candidate->replid = reply->replid;
        text_format(why, "it has another history: %s", reply->replid.hex);
        return false;
    }
    candidate->was_declined = false;
    return true;
}

/* ------------------------------------------------------------------ waiting, told */

void link_wait_status(const struct link *link, struct link_wait *out)
{
    const struct candidates *candidates = &link->candidates;
    size_t at = candidates_waiting(candidates);
    *out = (struct link_wait){.is_waiting = false, .host = "", .replid = "", .left_ms = -1};
    if (link_state(link) == LINK_LOADING || link_state(link) == LINK_STREAMING)
        return;
    out->waits_for_sentinels = link->is_unconfirmed;
    if (candidates->waits_since_ms == 0 || at == SIZE_MAX)
        return;
    const struct candidates_rule rule = link_rule(link);
    const struct candidate *candidate = &candidates->at[at];
    out->is_waiting = true;
    out->host = candidates->list.at[at].host;
    out->port = candidates->list.at[at].port;
    out->replid = candidate->replid.hex;
    out->since_ms = candidates->waits_since_ms;
    out->is_foreign = candidate->answer == CANDIDATE_FOREIGN;
    if (rule.waits_for_sentinels || rule.grace_ms < 0 || (out->is_foreign && rule.grace_ms > 0))
        return;
    int64_t left_ms = candidates->waits_since_ms + rule.grace_ms - clock_ms();
    out->left_ms = left_ms > 0 ? left_ms : 0;
}

void link_tell_wait(struct link *link)
{
    struct link_wait wait;
    link_wait_status(link, &wait);
    if (wait.is_waiting == link->told_wait)
        return;
    link->told_wait = wait.is_waiting;
    if (!wait.is_waiting) {
        log_info("upstream: no other history waits to be taken any more");
        return;
    }
    char when[64];
    snprintf(when, sizeof(when), wait.left_ms >= 0 ? "for %.0f s (failover-grace)" : "by itself",
             (double)wait.left_ms / 1000);
    log_warnx("upstream: %s:%" PRIu16 " has another history (%s) than the one that is held (%s), "
              "and nobody answers who can go on with that: its data set is not taken %s; REPLICAOF "
              "%s %" PRIu16 " or RELAY ACCEPT takes it now",
              wait.host, wait.port, wait.replid,
              history_identity(store_current(link->store))->replid.hex, when, wait.host, wait.port);
}

const char *link_accept(struct link *link, const struct primary_address *address)
{
    struct candidates *candidates = &link->candidates;
    struct link_wait wait;
    link_wait_status(link, &wait);
    if (!wait.is_waiting)
        return "no other history waits to be taken";
    size_t found = SIZE_MAX;
    unsigned count = 0;
    for (size_t i = 0; i < candidates->list.count; i++) {
        const struct primary_address *at = &candidates->list.at[i];
        bool is_meant = address == NULL || primary_address_equal(at, address);
        if (!is_meant || !candidate_has_other_history(&candidates->at[i]))
            continue;
        found = i;
        count++;
    }
    if (count == 0)
        return "the history of that server does not wait to be taken";
    if (count > 1)
        return "more than one server has another history: name one, as in RELAY ACCEPT host port";
    log_info("upstream: the history of %s:%" PRIu16 " is accepted", candidates->list.at[found].host,
             candidates->list.at[found].port);
    candidates_accept(candidates, found);
    link->failures = 0;
    if (link_state(link) == LINK_RETRYING)
        timer_arm(link->timer, 0);
    return NULL;
}
