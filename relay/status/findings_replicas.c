/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "findings_private.h"

enum { FULL_PERCENT = 90 };

bool finds_behind(const struct picture *picture, struct finding *finding)
{
    char who[FINDING_SUBJECT_MAX];
    char bytes[FINDING_WORD_MAX];
    char since[FINDING_WORD_MAX];
    const struct row *worst = &picture->latest;
    if (picture->behind == 0)
        return false;
    finding_say(finding->what, "%s %s behind by %s (%s).",
                finding_subject(picture->behind, worst->address, worst->port, who),
                picture->behind == 1 ? "is" : "are", finding_size(worst->lag_bytes, bytes),
                finding_time(worst->lag_ms, since));
    return finding_say(finding->advice,
                       "Check its load and its network. A replica that falls behind by "
                       "repl-backlog-max-size is closed and needs a full sync.");
}

/* How long until it falls out of the backlog, at this rate. */
static int64_t left_until_cut_ms(const struct picture *picture, const struct row *row)
{
    uint64_t most = picture->store.window_bytes_max;
    uint64_t left = most > row->lag_bytes ? most - row->lag_bytes : 0;
    return (int64_t)((double)left * 1000 / (double)row->stream_missing);
}

bool finds_link_too_small(const struct picture *picture, struct finding *finding)
{
    char who[FINDING_SUBJECT_MAX];
    char published[FINDING_WORD_MAX];
    char missing[FINDING_WORD_MAX];
    char left[FINDING_WORD_MAX];
    const struct row *worst = &picture->shortest;
    if (picture->stream_short == 0)
        return false;
    finding_say(finding->what,
                "%s %s not keep up with the stream: %s/s are published, and %s/s of that are "
                "missing.",
                finding_subject(picture->stream_short, worst->address, worst->port, who),
                picture->stream_short == 1 ? "does" : "do",
                finding_size(worst->stream_rate, published),
                finding_size(worst->stream_missing, missing));
    return finding_say(finding->advice,
                       "Its link is too small by that, or it executes too slowly. At this rate it "
                       "is closed (repl-backlog-max-size) in %s. Give the link more bandwidth, or "
                       "lower repl-full-sync-rate where full syncs share it.",
                       finding_time(left_until_cut_ms(picture, worst), left));
}

bool finds_nearly_cut(const struct picture *picture, struct finding *finding)
{
    char bytes[FINDING_WORD_MAX];
    char cap[FINDING_WORD_MAX];
    uint64_t most = picture->store.window_bytes_max;
    if (most == 0 || picture->lag_bytes_max / FULL_PERCENT < most / 100)
        return false;
    finding_say(finding->what,
                "A replica is %s behind. At %s (repl-backlog-max-size) it is closed.",
                finding_size(picture->lag_bytes_max, bytes), finding_size(most, cap));
    return finding_say(finding->advice,
                       "It then needs a full sync. A larger repl-backlog-max-size gives it more "
                       "time: CONFIG SET changes it at once.");
}

bool finds_silent(const struct picture *picture, struct finding *finding)
{
    char who[FINDING_SUBJECT_MAX];
    char since[FINDING_WORD_MAX];
    const struct row *worst = &picture->silentest;
    if (picture->silent == 0)
        return false;
    finding_say(finding->what, "%s %s sent nothing for %s.",
                finding_subject(picture->silent, worst->address, worst->port, who),
                picture->silent == 1 ? "has" : "have", finding_time(worst->heard_ms, since));
    return finding_say(finding->advice,
                       "A replica acknowledges every second, and is closed after repl-timeout "
                       "without a word. Check whether it hangs, and its network.");
}

/* Redis announces no version: only its own log says what it cannot read. */
static bool advise_failing(const struct failing_row *most, struct finding *finding)
{
    char wait[FINDING_WORD_MAX];
    const char *readers = rdb_version_readers(most->rdb);
    bool is_delayed = most->delayed_ms > 0;
    const char *next = is_delayed ? finding_time(most->delayed_ms, wait) : "";
    const char *until = is_delayed ? " Its next full sync starts in " : "";
    const char *end = is_delayed ? "." : "";
    if (most->reading == RDB_UNREADABLE)
        return finding_say(finding->advice,
                           "%s can read it. Upgrade this replica. If it has rdb-version-check, "
                           "relaxed works as long as the data needs nothing newer.%s%s%s",
                           readers, until, next, end);
    return finding_say(finding->advice,
                       "Its own log says why. \"Can't handle RDB format version\" means that it is "
                       "too old: this RDB is for %s. Otherwise check whether it runs out of memory "
                       "or is restarted while it loads.%s%s%s",
                       readers, until, next, end);
}

bool finds_failing(const struct picture *picture, struct finding *finding)
{
    char magic[RDB_MAGIC_LENGTH + 1];
    char who[FINDING_SUBJECT_MAX];
    const struct failing_row *most = &picture->failing_most;
    if (picture->failing == 0)
        return false;
    rdb_version_format(most->rdb, magic);
    finding_subject(picture->failing, most->address, most->port, who);
    const char *verb = picture->failing == 1 ? "has" : "have";
    if (most->reading == RDB_UNREADABLE)
        finding_say(finding->what,
                    "%s %s version %s, which cannot read the RDB (%s). Failed full syncs so far: "
                    "%u.",
                    who, verb, most->version, magic, most->failures);
    else
        finding_say(finding->what,
                    "%s %s taken %u full syncs in a row (RDB %s) and acknowledged none.", who, verb,
                    most->failures, magic);
    return advise_failing(most, finding);
}

bool finds_waiting(const struct picture *picture, struct finding *finding)
{
    uint64_t waiting = picture->states[ROW_WAITING];
    uint64_t others = picture->delayed + picture->counts.full_syncs_held + picture->delayed_waiting;
    uint64_t count = waiting > others ? waiting - others : 0;
    if (count == 0)
        return false;
    finding_say(finding->what, "%" PRIu64 " replica%s for data that the relay does not have yet.",
                count, count == 1 ? " waits" : "s wait");
    return finding_say(finding->advice,
                       "They wait for an RDB, or for the stream up to their offset. There is "
                       "nothing to do while the link is up.");
}

bool finds_held(const struct picture *picture, struct finding *finding)
{
    uint64_t held = picture->counts.full_syncs_held;
    if (held == 0)
        return false;
    finding_say(finding->what,
                "%" PRIu64 " replica%s for a full sync until one of %" PRIu64 " others is over.",
                held, held == 1 ? " waits" : "s wait", picture->counts.full_syncs);
    return finding_say(
        finding->advice,
        "repl-max-full-syncs says so. They have it in the order in which they came.");
}

bool finds_paused(const struct picture *picture, struct finding *finding)
{
    if (picture->paused == 0)
        return false;
    finding_say(finding->what,
                "%" PRIu64 " replica%s stopped by RELAY PAUSE or RELAY RESUME ... TO.",
                picture->paused, picture->paused == 1 ? " is" : "s are");
    return finding_say(
        finding->advice,
        "RELAY PAUSED shows where. The stream behind that place is kept for it, up to "
        "repl-backlog-max-size. RELAY RESUME lets it go on.");
}

bool finds_connections_full(const struct picture *picture, struct finding *finding)
{
    uint64_t taken = picture->counts.clients + picture->counts.replicas;
    if (picture->clients_max == 0 || taken * 100 < (uint64_t)picture->clients_max * FULL_PERCENT)
        return false;
    finding_say(finding->what, "%" PRIu64 " of %u connections are in use (maxclients).", taken,
                picture->clients_max);
    return finding_say(finding->advice, "Beyond that, connections are refused. Raise maxclients.");
}
