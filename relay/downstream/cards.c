/* SPDX-License-Identifier: MIT */
#include "cards.h"

#include <string.h>

static bool is_in_scope(const struct card *card, const struct cards_scope *scope)
{
    return scope->branches != NULL && card->history_number == scope->history_number;
}

static bool counts(const struct card *card, const struct cards_scope *scope)
{
    return card->acknowledges && is_in_scope(card, scope) &&
           CARD_GET(card, state) == (int)REPLICA_STREAMING;
}

/* The branch first: when the worker has confirmed it, what it had acknowledged until then was common, and
 * what comes after is of that branch. */
uint64_t cards_offset(const struct card *card, const struct cards_scope *scope)
{
    if (!is_in_scope(card, scope))
        return 0;
    uint64_t common = branches_common_end(scope->branches, CARD_GET(card, branch));
    uint64_t acknowledged = CARD_GET(card, acknowledged);
    return acknowledged < common ? acknowledged : common;
}

/* The best so far, the least of them first: a heap. */
struct best {
    size_t count;
    uint64_t offset[ACKNOWLEDGED_RANK_MAX];
};

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t kept = *a;
    *a = *b;
    *b = kept;
}

static void add(struct best *best, uint64_t offset)
{
    size_t at = best->count++;
    best->offset[at] = offset;
    while (at > 0 && best->offset[at] < best->offset[(at - 1) / 2]) {
        swap(&best->offset[at], &best->offset[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void replace_least(struct best *best, uint64_t offset)
{
    size_t at = 0;
    best->offset[0] = offset;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < best->count; child++) {
            if (best->offset[child] < best->offset[least])
                least = child;
        }
        if (least == at)
            return;
        swap(&best->offset[at], &best->offset[least]);
        at = least;
    }
}

static bool least_of_all(const struct cards *cards, const struct cards_scope *scope,
                         uint64_t *offset)
{
    bool found = false;
    const struct card *card;
    TAILQ_FOREACH(card, cards, entry)
    {
        if (card->known == NULL)
            continue;
        uint64_t acknowledged = counts(card, scope) ? cards_offset(card, scope) : 0;
        if (!found || acknowledged < *offset)
            *offset = acknowledged;
        found = true;
    }
    return found;
}

/* Once over the cards, whatever the rank: this is asked in every turn that brings acknowledgements. */
bool cards_acknowledged(const struct cards *cards, const struct cards_scope *scope, unsigned rank,
                        uint64_t *offset)
{
    CHECK(rank <= ACKNOWLEDGED_RANK_MAX);
    if (rank == 0)
        return least_of_all(cards, scope, offset);
    struct best best;
    best.count = 0;
    const struct card *card;
    TAILQ_FOREACH(card, cards, entry)
    {
        if (!counts(card, scope))
            continue;
        uint64_t acknowledged = cards_offset(card, scope);
        if (best.count < rank)
            add(&best, acknowledged);
        else if (acknowledged > best.offset[0])
            replace_least(&best, acknowledged);
    }
    if (best.count < rank)
        return false;
    *offset = best.offset[0];
    return true;
}

unsigned cards_count_acknowledged(const struct cards *cards, const struct cards_scope *scope,
                                  uint64_t offset)
{
    unsigned count = 0;
    const struct card *card;
    TAILQ_FOREACH(card, cards, entry)
    {
        if (counts(card, scope) && cards_offset(card, scope) >= offset)
            count++;
    }
    return count;
}

bool cards_have(const struct cards *cards, const char *address, uint16_t port)
{
    const struct card *card;
    TAILQ_FOREACH(card, cards, entry)
    {
        if (card->terms.listening_port == port && strcmp(card->address, address) == 0)
            return true;
    }
    return false;
}
