/* SPDX-License-Identifier: MIT
 *
 * The steps of the handshakes (handshake.h): a table for each kind. A row says when a step is needed, what is sent, and
 * how the answer is judged. Pure. Thread: the owner's.
 */
#ifndef RELAY_UPSTREAM_HANDSHAKE_STEPS_H
#define RELAY_UPSTREAM_HANDSHAKE_STEPS_H

#include <stdbool.h>
#include <stddef.h>

#include "handshake_state.h"
#include "relay/base/bytes.h"
#include "relay/resp/writer.h"

enum handshake_verdict {
    HANDSHAKE_STEP_NEXT,
    HANDSHAKE_STEP_PASSED, /* handshake.error */
    HANDSHAKE_STEP_FAILED, /* the answer says why */
    HANDSHAKE_STEP_DONE,   /* handshake.reply; after the last step only */
};

enum {
    HANDSHAKE_TAKES_ARRAY = 1,  /* the answer may be an array of bulk strings */
    HANDSHAKE_TAKES_DOLLAR = 2, /* a line that begins with "$" is the answer, and no bulk string */
};

struct handshake_step {
    const char *name; /* as handshake_step tells it */
    bool (*is_needed)(const struct handshake *handshake);
    void (*send)(const struct handshake *handshake, struct writer *writer);
    /* The first line of the answer: what a bulk string held has gone to primary_info_read. */
    enum handshake_verdict (*judge)(struct handshake *handshake, struct bytes answer);
    unsigned
        right; /* PRIMARY_RIGHT_*: what it takes; 0: everybody may, or the step before has told */
    unsigned takes; /* HANDSHAKE_TAKES_*: an answer that is neither a line nor a bulk string */
};

struct handshake_script {
    const struct handshake_step *steps;
    size_t count;
};

/* By handshake.terms.kind. The last step is always needed. */
const struct handshake_script *handshake_script_of(const struct handshake *handshake);

/* Does it say that we can sync over two connections? Of a server that has told whether it is a relay. */
bool handshake_offers_rdb_channel(const struct handshake *handshake);

#endif
