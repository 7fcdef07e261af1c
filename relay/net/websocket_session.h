/* SPDX-License-Identifier: MIT
 *
 * A WebSocket's layer between the files that it is made of:
 *
 *   transport_websocket.c  the handshake, the end, and the table of the layer
 *   websocket_send.c       what is sent: frames out of bytes
 *   websocket_receive.c    what is received: bytes out of frames
 *
 * libwslay makes and reads the frames. What is received is read a record of TLS at a time, parsed by
 * libwslay and copied to where it goes; nothing of it stays. What a server sends is not masked: of a frame the first WEBSOCKET_PIECE_MAX bytes are
 * copied behind its head, so that both leave in one record of TLS, and the rest goes to the layer below from where it is.
 * What a client sends is masked, and copied.
 *
 * A frame that has begun says how long it is, and what is sent next fills it, whatever that is: a receiver gives on the
 * bytes, not the frames. Ping, pong and close wait until it is full.
 *
 * Bounds: WEBSOCKET_PIECE_MAX and a few heads that the layer below did not take, WEBSOCKET_HEAD_MAX of a handshake, and
 * what libwslay has for itself, which is 4 KiB. A message may have any length and any number of fragments.
 *
 * Thread: that of the connection.
 */
#ifndef RELAY_NET_WEBSOCKET_SESSION_H
#define RELAY_NET_WEBSOCKET_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wslay/wslay.h>

#include "channel.h"
#include "relay/base/check.h"
#include "websocket_handshake.h"
#include "websocket_request.h"

enum {
    WEBSOCKET_FRAME_MAX = 256 * 1024,     /* payload of a frame that we send */
    WEBSOCKET_PIECE_MAX = 16 * 1024 - 64, /* of it beside its head: both fit into a record of TLS */
    WEBSOCKET_CONTROL_MAX = 125,          /* payload of ping, pong and close: RFC 6455, 5.5 */
    WEBSOCKET_OUT_MAX = WEBSOCKET_PIECE_MAX + 16 + 4 * (WEBSOCKET_CONTROL_MAX + 16),
    WEBSOCKET_RAW_MAX = 16 * 1024, /* read from below at a time */
    WEBSOCKET_FRAMES_MAX = 256,    /* that one call takes, and what else was read with them */
};

/* While the layer comes up. */
struct websocket_opening {
    const struct websocket_rules *rules; /* NULL: we are the client */
    char key[WEBSOCKET_KEY_LENGTH + 1];  /* a client's */
    struct text said;                    /* the request, or the answer */
    size_t said_sent;
    char heard[WEBSOCKET_HEAD_MAX];
    size_t heard_length;
    bool is_judged;
    bool is_refused; /* `why` */
    bool has_ended;  /* the refusal is said; what still comes is thrown away */
    char why[WEBSOCKET_WHY_MAX];
};

struct websocket {
    bool is_server;
    bool is_up;
    struct websocket_opening
        *opening;       /* NULL: it is up, and what came behind the handshake is taken */
    size_t early_taken; /* of what came behind it, which `opening` still has */
    char forwarded
        [ADDRESS_TEXT_MAX]; /* the client's address, as a trusted proxy has told it; or "" */
    wslay_frame_context_ptr frames;
    struct layer *layer; /* of the call that is under way: libwslay calls back */

    /* receiving */
    uint8_t *raw; /* WEBSOCKET_RAW_MAX bytes while a receive is under way */
    size_t raw_length;
    size_t raw_taken;
    size_t
        room; /* bytes that may still be taken from below: never more than the caller has room for */
    enum conn_io io;       /* what the layer below has answered last */
    bool in_frame;         /* one has begun that is not whole */
    bool in_message;       /* fragments of one are to come */
    uint8_t opcode;        /* of the frame that has begun */
    uint64_t payload_left; /* of it */
    bool is_final;
    bool has_more;   /* the last receive ended before the bytes did */
    bool has_ended;  /* the peer has closed */
    bool has_failed; /* with channel.error; told by each call */
    uint8_t control[WEBSOCKET_CONTROL_MAX];
    size_t control_length;

    /* sending */
    uint64_t frame_left; /* of the frame that has begun */
    uint8_t *out;        /* WEBSOCKET_OUT_MAX bytes that go before all else; NULL: there are none */
    size_t out_length;
    size_t out_sent;
    bool passes_through; /* what libwslay sends goes to the layer below; else to `out` */
    bool more;           /* as the sender has promised */
    bool has_spoken;     /* since the last look of keep_alive */
    bool owes_pong;
    bool owes_close;
    bool has_closed; /* the close frame is in `out`, or has gone */
    uint16_t close_code;
    uint8_t pong[WEBSOCKET_CONTROL_MAX];
    size_t pong_length;
};

/* ---- websocket_send.c ---- */

ssize_t websocket_on_send(const uint8_t *data, size_t length, int flags, void *arg);
int websocket_on_mask(uint8_t *into, size_t length, void *arg);

/* Sends `out`. CONN_OK: it is empty. */
enum conn_io websocket_flush(struct layer *layer);

enum conn_io websocket_send(struct layer *layer, struct bytes view, bool more, size_t *sent);
enum conn_io websocket_send_file(struct layer *layer, int file, uint64_t position, size_t length,
                                 size_t *sent);

/* Puts into `out` what waits to be said, if no frame is half sent. */
void websocket_put_control(struct websocket *websocket);

/* A ping, where nothing was sent since the last call. */
void websocket_keep_alive(struct layer *layer);

/* ---- websocket_receive.c ---- */

ssize_t websocket_on_receive(uint8_t *into, size_t length, int flags, void *arg);
enum conn_io websocket_receive(struct layer *layer, void *into, size_t capacity, size_t *received);

#endif
