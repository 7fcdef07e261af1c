/* SPDX-License-Identifier: MIT */
#include "findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/check.h"
#include "relay/upstream/primary_rights.h"

enum {
    WORDS_MAX = 48,
    SUBJECT_MAX = ROW_ADDRESS_MAX + 48,
    LINK_GRACE_MS = 5 * 1000, /* a link that reconnects at once is no problem yet */
    SILENCE_SLACK_MS = 1000,  /* beyond two PING periods */
    FULL_PERCENT = 90,
};

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {
        [SEVERITY_PROBLEM] = "problem",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_NOTE] = "note",
    };
    return names[severity];
}

/* --- words --- */

static const char *size_words(uint64_t bytes, char out[WORDS_MAX])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < LENGTH_OF(units); unit++)
        value /= 1024;
    snprintf(out, WORDS_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

static const char *time_words(int64_t ms, char out[WORDS_MAX])
{
    int64_t seconds = ms / 1000;
    if (seconds < 120)
        snprintf(out, WORDS_MAX, "%" PRId64 " s", seconds);
    else if (seconds < 2 * 60 * 60)
        snprintf(out, WORDS_MAX, "%" PRId64 " min", seconds / 60);
    else if (seconds < 2 * 24 * 60 * 60)
        snprintf(out, WORDS_MAX, "%" PRId64 " h", seconds / (60 * 60));
    else
        snprintf(out, WORDS_MAX, "%" PRId64 " days", seconds / (24 * 60 * 60));
    return out;
}

/* "10.0.0.7:6379", or "3 replicas, 10.0.0.7:6379 the most," */
static const char *subject(uint64_t count, const char *address, uint16_t port,
                           char out[SUBJECT_MAX])
{
    const char *open = strchr(address, ':') != NULL ? "[" : "";
    const char *close = open[0] != '\0' ? "]" : "";
    if (count == 1)
        snprintf(out, SUBJECT_MAX, "The replica %s%s%s:%u", open, address, close, (unsigned)port);
    else
        snprintf(out, SUBJECT_MAX, "%" PRIu64 " replicas, %s%s%s:%u the most,", count, open,
                 address, close, (unsigned)port);
    return out;
}

static bool PRINTF_LIKE(2, 3) say(char out[FINDING_LENGTH_MAX], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(out, FINDING_LENGTH_MAX, format, list);
    va_end(list);
    return true;
}

/* --- rules: each fills what and advice, and says whether it holds --- */

static bool finds_no_primary(const struct picture *picture, struct finding *finding)
{
    if (picture->link.candidates > 0 || picture->link.is_up || picture->link.host[0] != '\0')
        return false;
    say(finding->what, "It is not known where the primary is.");
    return say(finding->advice, "The Sentinels have not answered yet: see the log for what they "
                                "say, or name the primary with replicaof.");
}

static bool finds_link_down(const struct picture *picture, struct finding *finding)
{
    char since[WORDS_MAX];
    const struct link_status *link = &picture->link;
    bool was_up = link->down_since_ms > 0;
    int64_t down_ms = was_up ? picture->now_ms - link->down_since_ms : picture->uptime_ms;
    if (link->is_up || link->is_stalled || link->sync_in_progress || down_ms < LINK_GRACE_MS ||
        link->host[0] == '\0')
        return false;
    say(finding->what, "The link to the primary %s:%u has been down for %s%s%s", link->host,
        (unsigned)link->port, time_words(down_ms, since), link->last_error[0] != '\0' ? ": " : ".",
        link->last_error);
    const char *meanwhile = picture->store.is_served
                                ? "Replicas are served what is held, and get nothing new"
                                : "Nothing is held that could be served";
    return say(finding->advice,
               "%s. Check that the primary runs, that it can be reached from here, and masterauth. "
               "The relay tries again by itself.",
               meanwhile);
}

static bool finds_other_history(const struct picture *picture, struct finding *finding)
{
    char left[WORDS_MAX];
    const struct link_wait *wait = &picture->link.wait;
    if (!wait->is_waiting)
        return false;
    say(finding->what,
        "%s:%u has another history than the one that is held%s, and nobody answers who can go on "
        "with "
        "that.",
        wait->host, (unsigned)wait->port, wait->is_foreign ? ", and had it beside ours" : "");
    const char *held =
        wait->waits_for_sentinels ? " before a Sentinel has answered" : " without being told";
    return say(
        finding->advice,
        "Its data set is not taken%s%s%s: bring a primary back that has the one held, or say "
        "REPLICAOF %s %u or RELAY ACCEPT to give that up.",
        wait->left_ms >= 0 ? " for another " : held,
        wait->left_ms >= 0 ? time_words(wait->left_ms, left) : "",
        wait->left_ms >= 0 ? " (failover-grace)" : "", wait->host, (unsigned)wait->port);
}

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
static bool finds_hop_down(const struct picture *picture, struct finding *finding)
{
    char since[WORDS_MAX];
    const struct hops *hops = &picture->hops;
    for (size_t i = 1; i < hops->count; i++) {
        const struct hop *hop = &hops->at[i];
        const struct primary_address *from = &hops->at[i - 1].to;
        if (!is_hop_down(hop))
            continue;
        say(finding->what,
            "The relay %s:%u above this one has no link to %s:%u (%s), and got nothing for %s.",
            from->host, (unsigned)from->port, hop->to.host, (unsigned)hop->to.port,
            hop_link_name(hop->link), time_words(hop->silence_ms, since));
        return say(finding->advice,
                   "Nothing new can come here until it has. Look there, and at %s:%u.",
                   hop->to.host, (unsigned)hop->to.port);
    }
    return false;
}

/* The link is up and says nothing, not even PING. */
static bool finds_silent_stream(const struct picture *picture, struct finding *finding)
{
    char since[WORDS_MAX];
    char period[WORDS_MAX];
    const struct link_status *link = &picture->link;
    if (!link->is_up || picture->silence_ms <= 2 * link->ping_period_ms + SILENCE_SLACK_MS)
        return false;
    say(finding->what, "Nothing has come from %s:%u for %s, though it is to be heard every %s.",
        link->host, (unsigned)link->port, time_words(picture->silence_ms, since),
        time_words(link->ping_period_ms, period));
    return say(finding->advice,
               "The link is up, but the other side sends nothing, not even PING: see whether it "
               "hangs or is "
               "paused, and if it is a replica or a relay, whether it has lost its own primary.");
}

/* The link is well, and everything that replicas have is dead. */
static bool finds_old_history(const struct picture *picture, struct finding *finding)
{
    char since[WORDS_MAX];
    if (picture->old_history_ms < 0 || !picture->store.is_served)
        return false;
    say(finding->what,
        "For %s an old history has been served: the primary has another, whose RDB is not here "
        "yet.",
        time_words(picture->old_history_ms, since));
    return say(
        finding->advice,
        "Replicas get nothing new until the new one is whole, and are told of it then; %s. If "
        "the primary should still have its data, see what has happened there.",
        picture->serves_old_history
            ? "those that need a full sync get two (serve-old-history = yes)"
            : "those that need a full sync wait for it");
}

static bool finds_sync(const struct picture *picture, struct finding *finding)
{
    char read[WORDS_MAX];
    char total[WORDS_MAX];
    const struct link_status *link = &picture->link;
    if (!link->sync_in_progress)
        return false;
    if (link->sync_read_bytes == 0)
        say(finding->what, "The primary is preparing an RDB for the relay.");
    else if (link->sync_total_bytes > 0)
        say(finding->what, "An RDB arrives from the primary: %s of %s.",
            size_words(link->sync_read_bytes, read), size_words(link->sync_total_bytes, total));
    else
        say(finding->what, "An RDB arrives from the primary: %s so far.",
            size_words(link->sync_read_bytes, read));
    return say(finding->advice, "%s",
               picture->store.is_served ? "Replicas go on with the history before it until then."
                                        : "Replicas are served from it as it comes.");
}

static bool finds_disk_trouble(const struct picture *picture, struct finding *finding)
{
    char since[WORDS_MAX];
    const struct link_status *link = &picture->link;
    if (picture->store.error[0] == '\0' && !link->is_stalled)
        return false;
    if (link->is_stalled)
        say(finding->what,
            "For %s nothing has been read from the primary, since the disk does not take it: %s",
            time_words(picture->now_ms - link->down_since_ms, since), picture->store.error);
    else
        say(finding->what, "The store is in trouble: %s", picture->store.error);
    return say(finding->advice, "Make room on the disk of data-dir, or give it another one; the "
                                "relay goes on by itself when the disk takes what it writes.");
}

static uint64_t newest_snapshot_bytes(const struct store_status *store)
{
    uint64_t most = 0;
    for (size_t i = 0; i < store->snapshot_count; i++) {
        if (store->snapshots[i].bytes > most)
            most = store->snapshots[i].bytes;
    }
    return most;
}

static bool finds_disk_low(const struct picture *picture, struct finding *finding)
{
    char free_words[WORDS_MAX];
    char needed_words[WORDS_MAX];
    const struct store_status *store = &picture->store;
    uint64_t grows = store->window_bytes_max > store->segment_disk_bytes
                         ? store->window_bytes_max - store->segment_disk_bytes
                         : 0;
    uint64_t needed = grows + newest_snapshot_bytes(store);
    if (!store->has_disk || !store->exists || store->disk_free_bytes >= needed)
        return false;
    say(finding->what,
        "The disk of data-dir has %s free; another RDB and the window at "
        "repl-backlog-max-size may need %s more.",
        size_words(store->disk_free_bytes, free_words), size_words(needed, needed_words));
    return say(finding->advice, "Make room there, or lower repl-backlog-max-size.");
}

static bool has_usable_snapshot(const struct store_status *store)
{
    for (size_t i = 0; i < store->snapshot_count; i++) {
        if (store->snapshots[i].use == SNAPSHOT_USE_NOW)
            return true;
    }
    return false;
}

static bool finds_no_snapshot(const struct picture *picture, struct finding *finding)
{
    const struct store_status *store = &picture->store;
    const struct link_status *link = &picture->link;
    if (!store->is_served || has_usable_snapshot(store) || link->sync_in_progress)
        return false;
    const char *why = store->served_use == SNAPSHOT_USE_BEHIND_WINDOW
                          ? "the stream that follows on it has left the window"
                      : store->served_use == SNAPSHOT_USE_AHEAD_OF_STREAM
                          ? "the stream has not come so far yet"
                          : "there is none";
    if (store->served_use == SNAPSHOT_USE_UNPROVEN) {
        char left[WORDS_MAX];
        say(finding->what, "No RDB can be served now: it is being proven, %s are left to read.",
            size_words(store->proof_bytes_left, left));
        return say(finding->advice,
                   "Partial resyncs work, and full syncs wait: there is nothing to do.");
    }
    say(finding->what, "No RDB can be served now: %s.", why);
    if (link->refresh_error != NULL && link->refresh_error[0] != '\0')
        return say(finding->advice, "A replica that needs a full sync waits for one. %s: %s",
                   link->refresh_lacks_space ? "None is fetched"
                                             : "The last try to fetch one failed",
                   link->refresh_error);
    return say(finding->advice, "Partial resyncs work. A replica that needs a full sync makes the "
                                "relay fetch one from the primary, and waits for it.");
}

static bool tells_no_space(const struct picture *picture, struct finding *finding)
{
    say(finding->what, "No newer RDB is fetched: %s.", picture->link.refresh_error);
    return say(finding->advice,
               "Make room on the disk of data-dir: the relay fetches one by itself then. RELAY "
               "SNAPSHOT has it tried now.");
}

static bool finds_refresh_failed(const struct picture *picture, struct finding *finding)
{
    const struct link_status *link = &picture->link;
    bool failed = link->refresh_error != NULL && link->refresh_error[0] != '\0' &&
                  link->last_refresh_count > 0 &&
                  link->last_refreshes[0].outcome[0] == 'f'; /* failed */
    if (link->refresh_lacks_space)
        return tells_no_space(picture, finding);
    if (!failed || !has_usable_snapshot(&picture->store))
        return false;
    say(finding->what, "The last try to fetch a newer RDB failed: %s", link->refresh_error);
    return say(finding->advice, "The RDB that is held is served; the relay tries again by itself.");
}

static bool finds_cut_off(const struct picture *picture, struct finding *finding)
{
    const struct link_status *link = &picture->link;
    if (link->cut_off == NULL || link->cut_off[0] == '\0')
        return false;
    say(finding->what, "%s", link->cut_off);
    return say(finding->advice, "%s", link->cut_off_advice);
}

static bool tells_rights(const struct picture *picture, struct finding *finding)
{
    struct text words;
    struct text costs;
    const struct link_status *link = &picture->link;
    text_init(&words, FINDING_LENGTH_MAX);
    text_init(&costs, FINDING_LENGTH_MAX);
    primary_rights_words(link->denied_rights, &words);
    primary_rights_costs(link->denied_rights, &costs);
    say(finding->what, "The user \"%s\" lacks rights at the primary: %s.", link->user,
        text_string(&words));
    say(finding->advice, "%s At the primary: ACL SETUSER %s %s", text_string(&costs), link->user,
        text_string(&words));
    text_fini(&words);
    text_fini(&costs);
    return true;
}

static bool finds_no_rights(const struct picture *picture, struct finding *finding)
{
    return !primary_rights_suffice(picture->link.denied_rights) && tells_rights(picture, finding);
}

static bool finds_few_rights(const struct picture *picture, struct finding *finding)
{
    unsigned denied = picture->link.denied_rights;
    return denied != 0 && primary_rights_suffice(denied) && tells_rights(picture, finding);
}

/* A quarter of the window is what a newer RDB has to arrive in (store_snapshot_is_due). */
static bool finds_refresh_outrun(const struct picture *picture, struct finding *finding)
{
    char written[WORDS_MAX];
    char rate[WORDS_MAX];
    char took[WORDS_MAX];
    char now[WORDS_MAX];
    char needed[WORDS_MAX];
    char wait[WORDS_MAX];
    const struct link_status *link = &picture->link;
    const struct link_refresh_outrun *outrun = &link->refresh_outrun;
    if (outrun->bytes == 0)
        return false;
    int64_t ms = outrun->duration_ms > 0 ? outrun->duration_ms : 1;
    say(finding->what,
        "A newer RDB came too late to be served: in the %s that it took, %s of the stream were "
        "written (%s/s), more than the window holds (repl-backlog-size is %s).",
        time_words(ms, took), size_words(outrun->bytes, written),
        size_words((uint64_t)((double)outrun->bytes * 1000 / (double)ms), rate),
        size_words(picture->store.window_bytes, now));
    size_words(4 * outrun->bytes, needed);
    if (link->refresh_next_ms > picture->now_ms)
        return say(finding->advice,
                   "Set repl-backlog-size to %s or more. The next is fetched in %s "
                   "(snapshot-min-interval), or when a replica waits for it.",
                   needed, time_words(link->refresh_next_ms - picture->now_ms, wait));
    return say(finding->advice,
               "Set repl-backlog-size to %s or more. The next is fetched when a "
               "replica waits for it%s.",
               needed, link->refresh_next_ms != 0 ? ", or when it is due" : "");
}

static bool finds_version_raised(const struct picture *picture, struct finding *finding)
{
    char now[SERVER_VERSION_MAX];
    char lowest[SERVER_VERSION_MAX];
    char magic[RDB_MAGIC_LENGTH + 1];
    const struct link_status *link = &picture->link;
    struct rdb_version rdb = rdb_version_newest(link->announced_version);
    if (rdb_version_reading(rdb, link->replicas_version) != RDB_UNREADABLE)
        return false;
    say(finding->what,
        "The primary is asked for an RDB of version %s (%s), and a replica that is here, or was in "
        "the "
        "last day, is of version %s, or announces none, and cannot read that.",
        server_version_format(link->announced_version, now), rdb_version_format(rdb, magic),
        server_version_format(link->replicas_version, lowest));
    if (link->announce_is_fixed)
        return say(finding->advice,
                   "announce-version says so: set it to auto or to %s, or upgrade the "
                   "replica.",
                   lowest);
    return say(
        finding->advice,
        "The primary ended the connection when it was asked for an older one: its data needs the "
        "newer, as times to live of a hash's fields do. Upgrade the replica; or remove what "
        "needs it, and set announce-version to %s.",
        lowest);
}

static bool finds_behind(const struct picture *picture, struct finding *finding)
{
    char who[SUBJECT_MAX];
    char bytes[WORDS_MAX];
    char since[WORDS_MAX];
    const struct row *worst = &picture->latest;
    if (picture->behind == 0)
        return false;
    say(finding->what, "%s %s behind by %s, or %s.",
        subject(picture->behind, worst->address, worst->port, who),
        picture->behind == 1 ? "is" : "are", size_words(worst->lag_bytes, bytes),
        time_words(worst->lag_ms, since));
    return say(finding->advice, "Look at its load and its network. When it falls behind "
                                "repl-backlog-max-size it is cut, and needs a full sync.");
}

static bool finds_nearly_cut(const struct picture *picture, struct finding *finding)
{
    char bytes[WORDS_MAX];
    char cap[WORDS_MAX];
    uint64_t most = picture->store.window_bytes_max;
    if (most == 0 || picture->lag_bytes_max / FULL_PERCENT < most / 100)
        return false;
    say(finding->what, "A replica is %s behind; at %s (repl-backlog-max-size) it is cut.",
        size_words(picture->lag_bytes_max, bytes), size_words(most, cap));
    return say(finding->advice, "It will need a full sync then. A larger repl-backlog-max-size "
                                "(CONFIG SET) gives it more time.");
}

static bool finds_silent(const struct picture *picture, struct finding *finding)
{
    char who[SUBJECT_MAX];
    char since[WORDS_MAX];
    const struct row *worst = &picture->silentest;
    if (picture->silent == 0)
        return false;
    say(finding->what, "%s %s not been heard for %s.",
        subject(picture->silent, worst->address, worst->port, who),
        picture->silent == 1 ? "has" : "have", time_words(worst->heard_ms, since));
    return say(finding->advice, "A replica says every second what it has. One that is silent for "
                                "repl-timeout is closed: see whether it hangs, or the network.");
}

/* Of Redis none announces a version: of what it can read nothing is known but what its log says. */
static bool advise_failing(const struct failing_row *most, struct finding *finding)
{
    char wait[WORDS_MAX];
    const char *readers = rdb_version_readers(most->rdb);
    const char *next = most->delayed_ms > 0 ? time_words(most->delayed_ms, wait) : "";
    const char *until = next[0] != '\0' ? " Its next full sync begins in " : "";
    const char *end = next[0] != '\0' ? "." : "";
    if (most->reading == RDB_UNREADABLE)
        return say(finding->advice,
                   "%s can read it: upgrade this replica, or set its rdb-version-check to relaxed "
                   "where it has that, which works as long as the data needs nothing newer.%s%s%s",
                   readers, until, next, end);
    return say(
        finding->advice,
        "Its own log says why. \"Can't handle RDB format version\" means that it is too old: "
        "this RDB is for %s. Else see whether it runs out of memory, or is restarted, while "
        "it loads.%s%s%s",
        readers, until, next, end);
}

static bool finds_failing(const struct picture *picture, struct finding *finding)
{
    char magic[RDB_MAGIC_LENGTH + 1];
    char who[SUBJECT_MAX];
    const struct failing_row *most = &picture->failing_most;
    if (picture->failing == 0)
        return false;
    rdb_version_format(most->rdb, magic);
    subject(picture->failing, most->address, most->port, who);
    const char *verb = picture->failing == 1 ? "has" : "have";
    if (most->reading == RDB_UNREADABLE)
        say(finding->what,
            "%s %s version %s, which cannot read the RDB (%s). Full syncs in vain so far: %u.", who,
            verb, most->version, magic, most->failures);
    else
        say(finding->what, "%s %s taken %u full syncs in a row (RDB %s) and acknowledged none.",
            who, verb, most->failures, magic);
    return advise_failing(most, finding);
}

static bool finds_waiting(const struct picture *picture, struct finding *finding)
{
    uint64_t waiting = picture->states[ROW_WAITING];
    uint64_t count = waiting > picture->delayed ? waiting - picture->delayed : 0;
    if (count == 0)
        return false;
    say(finding->what, "%" PRIu64 " replica%s for what the relay does not have yet.", count,
        count == 1 ? " waits" : "s wait");
    return say(finding->advice,
               "An RDB from the primary, or the stream up to where the replica is. "
               "Nothing to do while the link is up.");
}

/* The window is larger than it was made, and the disk fuller. */
static bool finds_window_held(const struct picture *picture, struct finding *finding)
{
    char who[SUBJECT_MAX];
    char beyond[WORDS_MAX];
    char size[WORDS_MAX];
    const struct holders *holders = &picture->holders;
    if (picture->store.pinned_bytes == 0 || holders->count == 0)
        return false;
    const struct holder *most = &holders->most[0];
    say(finding->what, "%s %s %s of the window beyond repl-backlog-size (%s).",
        subject(holders->count, most->address, most->port, who),
        holders->count == 1 ? "holds" : "hold", size_words(picture->store.pinned_bytes, beyond),
        size_words(picture->store.window_bytes, size));
    return say(
        finding->advice,
        "%" PRIu64 " of them take an RDB, and the stream from there on is kept for them; "
        "the others are behind. It is given up when they have it, or at repl-backlog-max-size.",
        holders->loading);
}

static bool finds_full_house(const struct picture *picture, struct finding *finding)
{
    uint64_t taken = picture->counts.clients + picture->counts.replicas;
    if (picture->clients_max == 0 || taken * 100 < (uint64_t)picture->clients_max * FULL_PERCENT)
        return false;
    say(finding->what, "%" PRIu64 " of %u connections are taken (maxclients).", taken,
        picture->clients_max);
    return say(finding->advice, "More are turned away at the door: raise maxclients.");
}

/* How many have at most so many days left, and the one that has the least. */
static size_t ending(const struct picture *picture, int days, const struct tls_certificate **first)
{
    size_t count = 0;
    for (size_t i = 0; i < picture->certificates->count; i++) {
        const struct tls_certificate *one = &picture->certificates->at[i];
        count += tls_certificate_left_s(one, picture->wall_us) <= (int64_t)days * TLS_DAY_S;
    }
    *first = tls_certificates_soonest(picture->certificates);
    return count;
}

static bool tells_ending(const struct picture *picture, size_t count,
                         const struct tls_certificate *first, struct finding *finding)
{
    char left[WORDS_MAX];
    char others[WORDS_MAX] = "";
    int64_t left_s = tls_certificate_left_s(first, picture->wall_us);
    bool is_own = strcmp(first->setting, "tls-cert-file") == 0;
    time_words((left_s < 0 ? -left_s : left_s) * 1000, left);
    if (count > 1)
        snprintf(others, sizeof(others), ", and %zu more will soon", count - 1);
    say(finding->what, "The %s %s of [%s] %s %s%s%s.", is_own ? "certificate" : "CA",
        first->subject, first->section, left_s <= 0 ? "expired" : "expires in", left,
        left_s <= 0 ? " ago" : "", others);
    return say(finding->advice,
               "%s Put the new one where [%s] %s points to, and send SIGHUP (or set it by CONFIG "
               "SET): it is taken over without dropping a connection.",
               is_own ? "No new TLS connection is made with it after that."
                      : "What it has signed is refused after that.",
               first->section, first->setting);
}

static bool finds_certificate_expires(const struct picture *picture, struct finding *finding)
{
    const struct tls_certificate *first;
    size_t count = ending(picture, TLS_EXPIRY_PROBLEM_DAYS, &first);
    return count > 0 && tells_ending(picture, count, first, finding);
}

static bool finds_certificate_expires_soon(const struct picture *picture, struct finding *finding)
{
    const struct tls_certificate *first;
    size_t count = ending(picture, TLS_EXPIRY_WARNING_DAYS, &first);
    return count > 0 && ending(picture, TLS_EXPIRY_PROBLEM_DAYS, &first) == 0 &&
           tells_ending(picture, count, first, finding);
}

static const struct rule {
    enum severity severity;
    const char *name;
    bool (*holds)(const struct picture *picture, struct finding *finding);
} rules[] = {
    {SEVERITY_PROBLEM, "disk_trouble", finds_disk_trouble},
    {SEVERITY_PROBLEM, "other_history", finds_other_history},
    {SEVERITY_PROBLEM, "link_down", finds_link_down},
    {SEVERITY_PROBLEM, "old_history", finds_old_history},
    {SEVERITY_PROBLEM, "hop_down", finds_hop_down},
    {SEVERITY_PROBLEM, "stream_silent", finds_silent_stream},
    {SEVERITY_PROBLEM, "no_primary", finds_no_primary},
    {SEVERITY_PROBLEM, "rights_missing", finds_no_rights},
    {SEVERITY_PROBLEM, "full_sync_cut_off", finds_cut_off},
    {SEVERITY_PROBLEM, "replica_cannot_load", finds_failing},
    {SEVERITY_PROBLEM, "replica_nearly_cut", finds_nearly_cut},
    {SEVERITY_PROBLEM, "certificate_expires", finds_certificate_expires},
    {SEVERITY_WARNING, "replica_behind", finds_behind},
    {SEVERITY_WARNING, "replica_silent", finds_silent},
    {SEVERITY_WARNING, "disk_low", finds_disk_low},
    {SEVERITY_WARNING, "certificate_expires_soon", finds_certificate_expires_soon},
    {SEVERITY_WARNING, "connections_full", finds_full_house},
    {SEVERITY_WARNING, "snapshot_unusable", finds_no_snapshot},
    {SEVERITY_WARNING, "snapshot_refresh_failed", finds_refresh_failed},
    {SEVERITY_WARNING, "snapshot_outrun", finds_refresh_outrun},
    {SEVERITY_WARNING, "rights_missing", finds_few_rights},
    {SEVERITY_WARNING, "rdb_version_raised", finds_version_raised},
    {SEVERITY_NOTE, "sync_in_progress", finds_sync},
    {SEVERITY_NOTE, "replica_waiting", finds_waiting},
    {SEVERITY_NOTE, "window_held", finds_window_held},
};

void findings_each(const struct picture *picture, finding_fn *fn, void *arg)
{
    for (size_t i = 0; i < LENGTH_OF(rules); i++) {
        struct finding finding = {.severity = rules[i].severity, .name = rules[i].name};
        if (rules[i].holds(picture, &finding))
            fn(&finding, arg);
    }
}
