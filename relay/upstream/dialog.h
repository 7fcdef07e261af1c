/* SPDX-License-Identifier: MIT
 *
 * A connection to the origin with what belongs to it until the stream flows: the handshake, what we
 * still have to send, and a buffer for what came. The link has one, and so has a fetch.
 *
 * Owner: link or fetch. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_DIALOG_H
#define RELAY_UPSTREAM_DIALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "greeting.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/net/conn.h"

struct loop;
struct tls_context;

enum {
    DIALOG_BUFFER = 256 * 1024,
    DIALOG_OUT_MAX = 8 * 1024,
    DIALOG_UNANSWERED_MS =
        20 * 1000, /* a primary sends something every ten seconds, and we each second */
};

struct dialog {
    struct conn *conn;       /* NULL: not open */
    struct tls_context *tls; /* of the next connection; NULL: plain. The owner's to set */
    int64_t
        connect_ms_max; /* of the next connection, to one address; 0: as net/ has it. The owner's */
    int64_t
        unanswered_ms; /* so long its system may be silent; 0: DIALOG_UNANSWERED_MS. The owner's */
    struct greeting greeting;
    struct text out;      /* to be sent */
    uint8_t *buffer;      /* DIALOG_BUFFER bytes */
    struct bytes pending; /* received and not taken yet: a view of the buffer */
    bool is_resting;      /* not reading for now: dialog_rest */
    uint64_t received;    /* by connections that are closed */
    int64_t last_io_ms;   /* clock_ms of the last byte, or of coming up */
};

/* False: memory is out; dialog_fini is due all the same. */
MUST_CHECK bool dialog_init(struct dialog *dialog);
void dialog_fini(struct dialog *dialog);

/* Connects. False: memory is out. */
MUST_CHECK bool dialog_open(struct dialog *dialog, struct loop *loop, const char *host,
                            uint16_t port, conn_event_fn *fn, void *arg);
void dialog_close(struct dialog *dialog);

/* The connection is up: begins the handshake. */
void dialog_greet(struct dialog *dialog, const struct greeting_terms *terms);

/* For a handshake that has begun and has not come to AUTH yet. */
void dialog_set_credentials(struct dialog *dialog, const char *user, const char *password);

/* Stops reading, or goes on: what the origin sends waits on its side. */
void dialog_rest(struct dialog *dialog, bool rest);

/* Sends what fits of `out`, and asks to be told when there is room for the rest. False: broken. */
MUST_CHECK bool dialog_flush(struct dialog *dialog);

/* "REPLCONF ACK <offset>", with " FACK <offset>" where that is what is durable here (protocol 3.4).
 * Nothing if the one before it has not left yet. False: broken. */
MUST_CHECK bool dialog_acknowledge(struct dialog *dialog, uint64_t offset, bool is_durable);

/* Receives into the buffer; `pending` must be empty. False: the origin closed or the connection broke:
 * `why`. True with an empty `pending`: nothing is there. */
MUST_CHECK bool dialog_receive(struct dialog *dialog, struct text *why);

/* Received by this connection and all before it. */
uint64_t dialog_received(const struct dialog *dialog);

#endif
