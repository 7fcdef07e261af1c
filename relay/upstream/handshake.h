/* SPDX-License-Identifier: MIT
 *
 * The handshake of a replica, as a list of steps rather than states (docs/protocol.md 1): each step is
 * a row that says when it is needed, what is sent, and how the answer is judged (handshake_steps.h). One command, one
 * answer, then the next; PSYNC goes alone. Optional REPLCONF options have a command each, since servers
 * stop at the first one that they do not know.
 *
 * Used by the link and by the fetch of a snapshot. Pure: bytes in, text out. Thread: the owner's.
 *
 *     handshake_start(&handshake, &terms, out);                send out
 *     for each input:  handshake_feed(&handshake, &input, out);   send out, look at the result
 */
#ifndef RELAY_UPSTREAM_HANDSHAKE_H
#define RELAY_UPSTREAM_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handshake_state.h"
#include "relay/base/bytes.h"
#include "relay/base/text.h"
#include "relay/codec/decompressor.h"

enum handshake_result {
    HANDSHAKE_MORE,   /* goes on with the next input */
    HANDSHAKE_DONE,   /* PSYNC was answered: handshake.reply */
    HANDSHAKE_PASSED, /* it is a server, but not one to follow: handshake.error */
    HANDSHAKE_FAILED, /* the connection is of no use: handshake.error */
};

void handshake_init(struct handshake *handshake);
void handshake_fini(struct handshake *handshake);

/* Has PSYNC been written? From when it is sent on, the server may do what it asks for. */
bool handshake_has_asked(const struct handshake *handshake);

/* Begins anew: writes the first command. */
void handshake_start(struct handshake *handshake, const struct handshake_terms *terms,
                     struct text *out);

/* Begins the second one on a main connection whose first has ended with "+DUALCHANNELSYNC": asks for the stream behind
 * the RDB that `rdb` announces. What the first has agreed on stays. */
void handshake_join(struct handshake *handshake, const struct psync_reply *rdb, struct text *out);

/* Takes the answers in `input` and shortens it by them; writes the next command. With HANDSHAKE_DONE,
 * what is left of the input is what follows the PSYNC reply: RDB or stream. */
enum handshake_result handshake_feed(struct handshake *handshake, struct bytes *input,
                                     struct text *out);

/* How to read a payload of that kind behind it. For one that has asked for compression. */
struct decompressor_options handshake_decompression(const struct handshake *handshake,
                                                    enum envelope_kind kind);

/* The command whose answer is awaited: "REPLCONF capa". Constant. */
const char *handshake_step(const struct handshake *handshake);

#endif
