/* SPDX-License-Identifier: MIT */
#include "relay/downstream/holders.h"

#include <stdio.h>
#include <string.h>

void holders_init(struct holders *holders, uint64_t end, uint64_t window_bytes)
{
    *holders = (struct holders){.kept_from = end > window_bytes ? end - window_bytes : 0};
}

/* Into its place; of too many the one that holds least is left out. */
static void list(struct holders *holders, const struct holder *holder)
{
    size_t at = holders->listed;
    while (at > 0 && holders->most[at - 1].bytes < holder->bytes)
        at--;
    if (at == HOLDERS_KEPT)
        return;
    size_t last = holders->listed < HOLDERS_KEPT ? holders->listed++ : HOLDERS_KEPT - 1;
    memmove(holders->most + at + 1, holders->most + at, (last - at) * sizeof(holders->most[0]));
    holders->most[at] = *holder;
}

void holders_note(struct holders *holders, const struct peer_status *replica)
{
    bool is_attached = replica->state == REPLICA_LOADING || replica->state == REPLICA_STREAMING;
    if (!is_attached || replica->sent_offset >= holders->kept_from)
        return;
    struct holder holder = {
        .id = replica->id,
        .port = replica->listening_port,
        .is_loading = replica->state == REPLICA_LOADING,
        .offset = replica->sent_offset,
        .bytes = holders->kept_from - replica->sent_offset,
    };
    snprintf(holder.address, sizeof(holder.address), "%s", replica->address);
    holders->count++;
    holders->loading += holder.is_loading;
    list(holders, &holder);
}
