/* SPDX-License-Identifier: MIT */
#include "patience.h"

#include <stddef.h>
#include <string.h>

#include "relay/base/check.h"

enum { SILENCES_MAX = 20 }; /* counted; more make no difference */

static size_t find(const struct patience *patience, const struct address *address)
{
    for (size_t i = 0; i < LENGTH_OF(patience->rows); i++) {
        const struct patience_row *row = &patience->rows[i];
        if (row->silences > 0 && row->address.length == address->length &&
            memcmp(&row->address.storage, &address->storage, address->length) == 0)
            return i;
    }
    return LENGTH_OF(patience->rows);
}

static size_t find_place(const struct patience *patience)
{
    size_t place = 0;
    for (size_t i = 0; i < LENGTH_OF(patience->rows); i++) {
        if (patience->rows[i].silences == 0)
            return i;
        if (patience->rows[i].used < patience->rows[place].used)
            place = i;
    }
    return place;
}

int64_t patience_ms(const struct patience *patience, const struct address *address,
                    int64_t first_ms, int64_t limit_ms)
{
    size_t at = find(patience, address);
    unsigned silences = at < LENGTH_OF(patience->rows) ? patience->rows[at].silences : 0;
    int64_t time_ms = first_ms;
    for (unsigned i = 0; i < silences && time_ms < limit_ms; i++)
        time_ms *= 2;
    return time_ms < limit_ms ? time_ms : limit_ms;
}

void patience_note_silence(struct patience *patience, const struct address *address)
{
    size_t at = find(patience, address);
    if (at == LENGTH_OF(patience->rows)) {
        at = find_place(patience);
        patience->rows[at] = (struct patience_row){.address = *address};
    }
    struct patience_row *row = &patience->rows[at];
    row->silences += row->silences < SILENCES_MAX ? 1 : 0;
    row->used = ++patience->uses;
}

void patience_note_answer(struct patience *patience, const struct address *address)
{
    size_t at = find(patience, address);
    if (at < LENGTH_OF(patience->rows))
        patience->rows[at].silences = 0;
}
