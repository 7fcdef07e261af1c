/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "findings_private.h"

bool finds_disk_trouble(const struct picture *picture, struct finding *finding)
{
    char since[FINDING_WORD_MAX];
    const struct link_status *link = &picture->link;
    if (picture->store.error[0] == '\0' && !link->is_stalled)
        return false;
    if (link->is_stalled)
        finding_say(finding->what,
                    "Reading from upstream has been paused for %s: the disk refuses "
                    "writes: %s",
                    finding_time(picture->now_ms - link->down_since_ms, since),
                    picture->store.error);
    else
        finding_say(finding->what, "The disk of data-dir reports an error: %s",
                    picture->store.error);
    return finding_say(finding->advice,
                       "Free space on the disk of data-dir, or check the disk. The relay resumes "
                       "by itself when writes succeed.");
}

static uint64_t largest_snapshot_bytes(const struct store_status *store)
{
    uint64_t most = 0;
    for (size_t i = 0; i < store->snapshot_count; i++) {
        if (store->snapshots[i].bytes > most)
            most = store->snapshots[i].bytes;
    }
    return most;
}

bool finds_disk_low(const struct picture *picture, struct finding *finding)
{
    char free_words[FINDING_WORD_MAX];
    char needed_words[FINDING_WORD_MAX];
    const struct store_status *store = &picture->store;
    uint64_t grows = store->window_bytes_max > store->segment_disk_bytes
                         ? store->window_bytes_max - store->segment_disk_bytes
                         : 0;
    uint64_t needed = grows + largest_snapshot_bytes(store);
    if (!store->has_disk || !store->exists || store->disk_free_bytes >= needed)
        return false;
    finding_say(finding->what,
                "The disk of data-dir has %s free. Another RDB and a backlog of "
                "repl-backlog-max-size may need %s more.",
                finding_size(store->disk_free_bytes, free_words),
                finding_size(needed, needed_words));
    return finding_say(finding->advice, "Free space there, or lower repl-backlog-max-size.");
}

static bool has_usable_snapshot(const struct store_status *store)
{
    for (size_t i = 0; i < store->snapshot_count; i++) {
        if (store->snapshots[i].use == SNAPSHOT_USE_NOW)
            return true;
    }
    return false;
}

static bool findings_store_tell_unproven(const struct store_status *store, struct finding *finding)
{
    char left[FINDING_WORD_MAX];
    finding_say(finding->what,
                "No RDB can be served now: it is being verified, %s are left to read.",
                finding_size(store->proof_bytes_left, left));
    return finding_say(finding->advice,
                       "Partial resyncs work, and full syncs wait. There is nothing to do.");
}

bool finds_no_snapshot(const struct picture *picture, struct finding *finding)
{
    const struct store_status *store = &picture->store;
    const struct link_status *link = &picture->link;
    if (!store->is_served || has_usable_snapshot(store) || link->sync_in_progress)
        return false;
    if (store->served_use == SNAPSHOT_USE_UNPROVEN)
        return findings_store_tell_unproven(store, finding);
    const char *why = store->served_use == SNAPSHOT_USE_BEHIND_WINDOW
                          ? "the backlog has moved past its offset"
                      : store->served_use == SNAPSHOT_USE_AHEAD_OF_STREAM
                          ? "the backlog has not reached its offset yet"
                          : "there is none";
    finding_say(finding->what, "No RDB can be served now: %s.", why);
    if (string_is_given(link->refresh_error))
        return finding_say(
            finding->advice, "A replica that needs a full sync waits for one. %s: %s",
            link->refresh_lacks_space ? "None is fetched" : "The last attempt to fetch one failed",
            link->refresh_error);
    return finding_say(finding->advice,
                       "Partial resyncs work. When a replica needs a full sync, the relay fetches "
                       "an RDB and the replica waits for it.");
}

static bool tell_lack_of_space(const struct link_status *link, struct finding *finding)
{
    finding_say(finding->what, "No newer RDB is fetched: %s.", link->refresh_error);
    return finding_say(finding->advice,
                       "Free space on the disk of data-dir. The relay then fetches one by itself; "
                       "RELAY SNAPSHOT retries at once.");
}

bool finds_refresh_failed(const struct picture *picture, struct finding *finding)
{
    const struct link_status *link = &picture->link;
    bool failed = string_is_given(link->refresh_error) && link->last_refresh_count > 0 &&
                  link->last_refreshes[0].outcome[0] == 'f'; /* failed */
    if (link->refresh_lacks_space)
        return tell_lack_of_space(link, finding);
    if (!failed || !has_usable_snapshot(&picture->store))
        return false;
    finding_say(finding->what, "The last attempt to fetch a newer RDB failed: %s",
                link->refresh_error);
    return finding_say(finding->advice, "The RDB on disk is served. The relay retries by itself.");
}

static bool advise_larger_backlog(const struct picture *picture, struct finding *finding)
{
    char needed[FINDING_WORD_MAX];
    char wait[FINDING_WORD_MAX];
    const struct link_status *link = &picture->link;
    /* A newer RDB is fetched while a quarter of the backlog is left for it (store_snapshot_is_due). */
    finding_size(4 * link->refresh_outrun.bytes, needed);
    if (link->refresh_next_ms > picture->now_ms)
        return finding_say(finding->advice,
                           "Set repl-backlog-size to %s or more. The next RDB is fetched in %s "
                           "(snapshot-min-interval), or when a replica waits for one.",
                           needed, finding_time(link->refresh_next_ms - picture->now_ms, wait));
    return finding_say(finding->advice,
                       "Set repl-backlog-size to %s or more. The next RDB is fetched when a "
                       "replica waits for one%s.",
                       needed, link->refresh_next_ms != 0 ? ", or when it is due" : "");
}

bool finds_refresh_outrun(const struct picture *picture, struct finding *finding)
{
    char written[FINDING_WORD_MAX];
    char rate[FINDING_WORD_MAX];
    char took[FINDING_WORD_MAX];
    char now[FINDING_WORD_MAX];
    const struct link_refresh_outrun *outrun = &picture->link.refresh_outrun;
    if (outrun->bytes == 0)
        return false;
    int64_t ms = outrun->duration_ms > 0 ? outrun->duration_ms : 1;
    finding_say(finding->what,
                "A newer RDB arrived too late to be served. It took %s, in which the stream grew "
                "by %s (%s/s), more than the backlog keeps (repl-backlog-size is %s).",
                finding_time(ms, took), finding_size(outrun->bytes, written),
                finding_size((uint64_t)((double)outrun->bytes * 1000 / (double)ms), rate),
                finding_size(picture->store.window_bytes, now));
    return advise_larger_backlog(picture, finding);
}

/* The backlog takes more of the disk than repl-backlog-size. */
bool finds_window_held(const struct picture *picture, struct finding *finding)
{
    char who[FINDING_SUBJECT_MAX];
    char beyond[FINDING_WORD_MAX];
    char size[FINDING_WORD_MAX];
    const struct holders *holders = &picture->holders;
    if (picture->store.pinned_bytes == 0 || holders->count == 0)
        return false;
    const struct holder *most = &holders->most[0];
    finding_say(finding->what, "%s %s %s of backlog beyond repl-backlog-size (%s).",
                finding_subject(holders->count, most->address, most->port, who),
                holders->count == 1 ? "holds" : "hold",
                finding_size(picture->store.pinned_bytes, beyond),
                finding_size(picture->store.window_bytes, size));
    return finding_say(finding->advice,
                       "%" PRIu64 " of them load an RDB, and the stream from its offset on is kept "
                       "for them. The others are behind. It is freed when they have it, or at "
                       "repl-backlog-max-size.",
                       holders->loading);
}
