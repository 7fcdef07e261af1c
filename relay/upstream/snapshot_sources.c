/* SPDX-License-Identifier: MIT */
#include "snapshot_sources.h"

#include "relay/store/store.h"

static uint64_t turn_of(const struct snapshot_sources *sources,
                        const struct primary_address *address)
{
    for (size_t i = 0; i < SNAPSHOT_SOURCES_KNOWN; i++) {
        if (sources->asked[i].turn != 0 &&
            primary_address_equal(&sources->asked[i].address, address))
            return sources->asked[i].turn;
    }
    return 0;
}

static size_t snapshot_sources_list(const struct snapshot_sources *sources,
                                    struct snapshot_replica *out)
{
    if (sources->setting.kind == SNAPSHOT_SOURCE_REPLICAS)
        return sources->replicas != NULL
                   ? sources->replicas(out, SNAPSHOT_REPLICAS_MAX, sources->arg)
                   : 0;
    const struct primary_candidates *listed = &sources->setting.listed;
    for (size_t i = 0; i < listed->count; i++)
        out[i] = (struct snapshot_replica){.address = listed->at[i]};
    return listed->count;
}

enum snapshot_sources_pick snapshot_sources_pick(const struct snapshot_sources *sources,
                                                 bool somebody_waits, struct primary_address *out)
{
    struct snapshot_replica list[SNAPSHOT_REPLICAS_MAX];
    const struct snapshot_replica *best = NULL;
    if (sources->setting.kind == SNAPSHOT_SOURCE_UPSTREAM)
        return SNAPSHOT_SOURCES_PRIMARY;
    size_t count = snapshot_sources_list(sources, list);
    uint64_t best_turn = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t turn = turn_of(sources, &list[i].address);
        bool is_better = best == NULL || turn < best_turn ||
                         (turn == best_turn && list[i].acknowledged > best->acknowledged);
        if (!is_better)
            continue;
        best = &list[i];
        best_turn = turn;
    }
    if (somebody_waits && (best == NULL || sources->failures >= SNAPSHOT_SOURCE_TRIES))
        return SNAPSHOT_SOURCES_PRIMARY;
    if (best == NULL)
        return SNAPSHOT_SOURCES_NOBODY;
    *out = best->address;
    return SNAPSHOT_SOURCES_OTHER;
}

void snapshot_sources_note_asked(struct snapshot_sources *sources,
                                 const struct primary_address *address)
{
    if (address == NULL) {
        sources->fallbacks++;
        sources->failures = 0;
        return;
    }
    size_t place = 0;
    for (size_t i = 0; i < SNAPSHOT_SOURCES_KNOWN; i++) {
        if (sources->asked[i].turn != 0 &&
            primary_address_equal(&sources->asked[i].address, address)) {
            place = i;
            break;
        }
        if (sources->asked[i].turn < sources->asked[place].turn)
            place = i;
    }
    sources->asked[place].address = *address;
    sources->asked[place].turn = ++sources->turn;
}

void snapshot_sources_note_end(struct snapshot_sources *sources, bool was_good)
{
    sources->failures = was_good ? 0 : sources->failures + 1;
}

const char *snapshot_sources_judge(const struct primary_info *info, void *arg)
{
    const struct snapshot_sources *sources = arg;
    struct history *history = store_current(sources->store);
    if (!info->has_role)
        return "it does not say whether it is a replica";
    if (info->is_primary)
        return "it is a primary, and none of our replicas";
    if (info->is_relay)
        return "it is a relay, whose snapshot may be as old as the one that is held";
    if (!info->link_is_up)
        return "its link is down";
    if (info->is_writable)
        return "it is writable (replica-read-only no), so its data may be other than ours";
    if (history == NULL || !replid_equal(&info->replid, &history_identity(history)->replid))
        return "it has another history";
    if (info->offset > history_end(history))
        return "it has more of the stream than we do, so it is none of our replicas";
    if (info->offset < history_window_first(history))
        return "it is behind the window";
    return NULL;
}
