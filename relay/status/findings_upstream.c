/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "findings_private.h"
#include "relay/upstream/primary_rights.h"

enum {
    LINK_GRACE_MS = 5 * 1000, /* a link that comes back within that time is no problem */
    SILENCE_SLACK_MS = 1000,  /* beyond two PING periods */
};

bool finds_no_primary(const struct picture *picture, struct finding *finding)
{
    if (picture->link.candidates > 0 || picture->link.is_up || picture->link.host[0] != '\0')
        return false;
    finding_say(finding->what, "The address of the primary is not known.");
    return finding_say(finding->advice,
                       "No Sentinel has named it yet. The log has their answers. Or set "
                       "replicaof.");
}

bool finds_link_down(const struct picture *picture, struct finding *finding)
{
    char since[FINDING_WORD_MAX];
    const struct link_status *link = &picture->link;
    bool was_up = link->down_since_ms > 0;
    int64_t down_ms = was_up ? picture->now_ms - link->down_since_ms : picture->uptime_ms;
    if (link->is_up || link->is_stalled || link->sync_in_progress || down_ms < LINK_GRACE_MS ||
        link->host[0] == '\0')
        return false;
    finding_say(finding->what, "The upstream link to %s:%u has been down for %s%s%s", link->host,
                (unsigned)link->port, finding_time(down_ms, since),
                link->last_error[0] != '\0' ? ": " : ".", link->last_error);
    return finding_say(finding->advice,
                       "%s. Check that the primary runs, that it can be reached from here, and "
                       "masterauth. The relay retries by itself.",
                       picture->store.is_served
                           ? "Replicas are served from the disk and get nothing new"
                           : "There is no data to serve");
}

bool finds_other_history(const struct picture *picture, struct finding *finding)
{
    char left[FINDING_WORD_MAX];
    const struct link_wait *wait = &picture->link.wait;
    if (!wait->is_waiting)
        return false;
    finding_say(finding->what,
                "%s:%u has another history than the relay%s. No server that has the relay's "
                "history answers.",
                wait->host, (unsigned)wait->port,
                wait->is_foreign ? ", which existed beside the relay's" : "");
    const char *untimed =
        wait->waits_for_sentinels ? " before a Sentinel answers" : " without a command";
    bool is_timed = wait->left_ms >= 0;
    return finding_say(finding->advice,
                       "Its data set is not taken%s%s%s. Bring back a primary that has the relay's "
                       "history, or send REPLICAOF %s %u or RELAY ACCEPT to give that history up.",
                       is_timed ? " for another " : untimed,
                       is_timed ? finding_time(wait->left_ms, left) : "",
                       is_timed ? " (failover-grace)" : "", wait->host, (unsigned)wait->port);
}

/* ---- links above ours ---- */

static bool is_hop_down(const struct hop *hop)
{
    return hop->link != HOP_UP && hop->silence_ms >= LINK_GRACE_MS;
}

unsigned findings_hops_down(const struct hops *hops)
{
    unsigned count = 0;
    for (size_t i = 1; i < hops->count; i++)
        count += is_hop_down(&hops->at[i]);
    return count;
}

/* Our link is up, and above it one is not: nothing new can come. */
bool finds_hop_down(const struct picture *picture, struct finding *finding)
{
    char since[FINDING_WORD_MAX];
    const struct hops *hops = &picture->hops;
    for (size_t i = 1; i < hops->count; i++) {
        const struct hop *hop = &hops->at[i];
        const struct primary_address *from = &hops->at[i - 1].to;
        if (!is_hop_down(hop))
            continue;
        finding_say(finding->what,
                    "The relay %s:%u above this one has no link to %s:%u (%s). It has received "
                    "nothing for %s.",
                    from->host, (unsigned)from->port, hop->to.host, (unsigned)hop->to.port,
                    hop_link_name(hop->link), finding_time(hop->silence_ms, since));
        return finding_say(finding->advice,
                           "Nothing new arrives here until that link is up. Check that relay, and "
                           "%s:%u.",
                           hop->to.host, (unsigned)hop->to.port);
    }
    return false;
}

/* ---- the stream ---- */

/* The link is up and says nothing, not even PING. */
bool finds_silent_stream(const struct picture *picture, struct finding *finding)
{
    char since[FINDING_WORD_MAX];
    char period[FINDING_WORD_MAX];
    const struct link_status *link = &picture->link;
    if (!link->is_up || picture->silence_ms <= 2 * link->ping_period_ms + SILENCE_SLACK_MS)
        return false;
    finding_say(finding->what, "Nothing has arrived from %s:%u for %s. A PING is due every %s.",
                link->host, (unsigned)link->port, finding_time(picture->silence_ms, since),
                finding_time(link->ping_period_ms, period));
    return finding_say(finding->advice,
                       "The link is up, but the server sends nothing. Check whether it hangs or is "
                       "paused. If it is a replica or a relay, check whether it has lost its own "
                       "primary.");
}

/* The link is well, and what replicas have is out of date. */
bool finds_old_history(const struct picture *picture, struct finding *finding)
{
    char since[FINDING_WORD_MAX];
    if (picture->old_history_ms < 0 || !picture->store.is_served)
        return false;
    finding_say(finding->what,
                "An old history has been served for %s: upstream has a new one, whose RDB is not "
                "complete yet.",
                finding_time(picture->old_history_ms, since));
    return finding_say(
        finding->advice,
        "Replicas get nothing new until that RDB is complete. Those that need a full "
        "sync %s. If the primary should still have its data, find out what happened "
        "to it.",
        picture->serves_old_history ? "get two (serve-old-history = yes)" : "wait for it");
}

/* ", 12 MB/s, 3 min left": as far as it is known. */
static const char *words_of_pace(const struct progress_view *view, char out[FINDING_SUBJECT_MAX])
{
    char rate[FINDING_WORD_MAX];
    char left[FINDING_WORD_MAX];
    out[0] = '\0';
    if (!view->is_active || view->rate == 0)
        return out;
    if (view->left_ms >= 0)
        snprintf(out, FINDING_SUBJECT_MAX, ", %s/s, %s left%s", finding_size(view->rate, rate),
                 finding_time(view->left_ms, left), view->is_estimate ? " (estimated)" : "");
    else
        snprintf(out, FINDING_SUBJECT_MAX, ", %s/s", finding_size(view->rate, rate));
    return out;
}

bool finds_sync(const struct picture *picture, struct finding *finding)
{
    char read[FINDING_WORD_MAX];
    char total[FINDING_WORD_MAX];
    char pace[FINDING_SUBJECT_MAX];
    const struct link_status *link = &picture->link;
    if (!link->sync_in_progress)
        return false;
    if (link->sync_read_bytes == 0)
        finding_say(finding->what, "Upstream is preparing an RDB for the relay.");
    else if (link->sync_total_bytes > 0)
        finding_say(finding->what, "An RDB is arriving from upstream: %s of %s%s.",
                    finding_size(link->sync_read_bytes, read),
                    finding_size(link->sync_total_bytes, total),
                    words_of_pace(&link->sync_progress, pace));
    else
        finding_say(finding->what, "An RDB is arriving from upstream: %s so far%s.",
                    finding_size(link->sync_read_bytes, read),
                    words_of_pace(&link->sync_progress, pace));
    return finding_say(finding->advice, "%s",
                       picture->store.is_served
                           ? "Until it is complete, replicas are served from the history before it."
                           : "Replicas are served from it as it arrives.");
}

bool finds_sync_backlog_full(const struct picture *picture, struct finding *finding)
{
    if (!picture->link.is_sync_backlog_full)
        return false;
    finding_say(
        finding->what,
        "The stream behind the RDB that arrives has reached repl-backlog-max-size: until the "
        "RDB is complete, upstream keeps what follows.");
    return finding_say(finding->advice,
                       "If its client-output-buffer-limit ends the full sync, raise "
                       "repl-backlog-max-size, or speed up the connection to upstream.");
}

/* ---- what the server there lets us do ---- */

bool finds_cut_off(const struct picture *picture, struct finding *finding)
{
    const struct link_status *link = &picture->link;
    if (!string_is_given(link->cut_off))
        return false;
    finding_say(finding->what, "%s", link->cut_off);
    return finding_say(finding->advice, "%s", link->cut_off_advice);
}

static bool tell_rights(const struct picture *picture, struct finding *finding)
{
    struct text words;
    struct text costs;
    const struct link_status *link = &picture->link;
    text_init(&words, FINDING_LENGTH_MAX);
    text_init(&costs, FINDING_LENGTH_MAX);
    primary_rights_words(link->denied_rights, &words);
    primary_rights_costs(link->denied_rights, &costs);
    finding_say(finding->what, "The user \"%s\" lacks rights at the upstream server: %s.",
                link->user, text_string(&words));
    finding_say(finding->advice, "%s Run there: ACL SETUSER %s %s", text_string(&costs), link->user,
                text_string(&words));
    text_fini(&words);
    text_fini(&costs);
    return true;
}

bool finds_no_rights(const struct picture *picture, struct finding *finding)
{
    return !primary_rights_suffice(picture->link.denied_rights) && tell_rights(picture, finding);
}

bool finds_few_rights(const struct picture *picture, struct finding *finding)
{
    unsigned denied = picture->link.denied_rights;
    return denied != 0 && primary_rights_suffice(denied) && tell_rights(picture, finding);
}

bool finds_version_raised(const struct picture *picture, struct finding *finding)
{
    char now[SERVER_VERSION_MAX];
    char lowest[SERVER_VERSION_MAX];
    char magic[RDB_MAGIC_LENGTH + 1];
    const struct link_status *link = &picture->link;
    struct rdb_version rdb = rdb_version_newest(link->announced_version);
    if (rdb_version_reading(rdb, link->replicas_version) != RDB_UNREADABLE)
        return false;
    finding_say(finding->what,
                "Upstream is asked for an RDB of version %s (%s). A replica that is attached, or "
                "was in the last day, has version %s or announces none, and cannot read it.",
                server_version_format(link->announced_version, now), rdb_version_format(rdb, magic),
                server_version_format(link->replicas_version, lowest));
    if (link->announce_is_fixed)
        return finding_say(finding->advice,
                           "announce-version says so: set it to auto or to %s, or upgrade the "
                           "replica.",
                           lowest);
    return finding_say(
        finding->advice,
        "Upstream closed the connection when it was asked for an older one: its data "
        "needs the newer version, as hash fields with a time to live do. Upgrade the "
        "replica, or remove that data and set announce-version to %s.",
        lowest);
}
