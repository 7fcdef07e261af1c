/* SPDX-License-Identifier: MIT */
#include "connect_timeout.h"

#include <stddef.h>
#include <string.h>

#include "relay/base/check.h"

enum { SILENCES_MAX = 20 }; /* counted; more make no difference */

static size_t connect_timeout_find(const struct connect_timeout *connect_timeout,
                                   const struct address *address)
{
    for (size_t i = 0; i < LENGTH_OF(connect_timeout->rows); i++) {
        const struct connect_timeout_row *row = &connect_timeout->rows[i];
        if (row->silences > 0 && row->address.length == address->length &&
            memcmp(&row->address.storage, &address->storage, address->length) == 0)
            return i;
    }
    return LENGTH_OF(connect_timeout->rows);
}

/* A free one; else that of the address that was silent longest ago. */
static size_t connect_timeout_find_place(const struct connect_timeout *connect_timeout)
{
    size_t place = 0;
    for (size_t i = 0; i < LENGTH_OF(connect_timeout->rows); i++) {
        if (connect_timeout->rows[i].silences == 0)
            return i;
        if (connect_timeout->rows[i].used < connect_timeout->rows[place].used)
            place = i;
    }
    return place;
}

int64_t connect_timeout_ms(const struct connect_timeout *connect_timeout,
                           const struct address *address, int64_t first_ms, int64_t limit_ms)
{
    size_t at = connect_timeout_find(connect_timeout, address);
    unsigned silences =
        at < LENGTH_OF(connect_timeout->rows) ? connect_timeout->rows[at].silences : 0;
    int64_t time_ms = first_ms;
    for (unsigned i = 0; i < silences && time_ms < limit_ms; i++)
        time_ms *= 2;
    return time_ms < limit_ms ? time_ms : limit_ms;
}

void connect_timeout_note_silence(struct connect_timeout *connect_timeout,
                                  const struct address *address)
{
    size_t at = connect_timeout_find(connect_timeout, address);
    if (at == LENGTH_OF(connect_timeout->rows)) {
        at = connect_timeout_find_place(connect_timeout);
        connect_timeout->rows[at] = (struct connect_timeout_row){.address = *address};
    }
    struct connect_timeout_row *row = &connect_timeout->rows[at];
    row->silences += row->silences < SILENCES_MAX ? 1 : 0;
    row->used = ++connect_timeout->uses;
}

void connect_timeout_note_answer(struct connect_timeout *connect_timeout,
                                 const struct address *address)
{
    size_t at = connect_timeout_find(connect_timeout, address);
    if (at < LENGTH_OF(connect_timeout->rows))
        connect_timeout->rows[at].silences = 0;
}
