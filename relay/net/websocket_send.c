/* SPDX-License-Identifier: MIT */
#ifdef HAVE_WSLAY

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/os/random.h"
#include "websocket_session.h"

/* Read from a file at a time, once the layer below has shown that it takes as much. */
enum { WEBSOCKET_READ_MAX = 64 * 1024 };

/* ---- what libwslay calls ---- */

/* A head and the bytes beside it are gathered, the rest of a frame passes through. */
ssize_t websocket_on_send(const uint8_t *data, size_t length, int flags, void *arg)
{
    struct websocket *websocket = arg;
    (void)flags;
    if (!websocket->passes_through) {
        CHECK(length <= WEBSOCKET_OUT_MAX - websocket->out_length);
        memcpy(websocket->out + websocket->out_length, data, length);
        websocket->out_length += length;
        return (ssize_t)length;
    }
    size_t sent = 0;
    websocket->io =
        layer_send(websocket->layer->below, bytes_at(data, length), websocket->more, &sent);
    return websocket->io == CONN_OK && sent > 0 ? (ssize_t)sent : -1;
}

int websocket_on_mask(uint8_t *into, size_t length, void *arg)
{
    (void)arg;
    random_bytes(into, length);
    return 0;
}

/* ---- what goes before all else ---- */

static bool websocket_make_out(struct websocket *websocket)
{
    if (websocket->out == NULL)
        websocket->out = malloc(WEBSOCKET_OUT_MAX);
    return websocket->out != NULL;
}

static enum conn_io websocket_push(struct layer *layer, bool more)
{
    struct websocket *websocket = layer->session;
    while (websocket->out_sent < websocket->out_length) {
        size_t sent = 0;
        struct bytes left = bytes_at(websocket->out + websocket->out_sent,
                                     websocket->out_length - websocket->out_sent);
        enum conn_io io = layer_send(layer->below, left, more, &sent);
        websocket->out_sent += sent;
        if (io != CONN_OK)
            return io;
    }
    free(websocket->out);
    websocket->out = NULL;
    websocket->out_length = websocket->out_sent = 0;
    return CONN_OK;
}

enum conn_io websocket_flush(struct layer *layer)
{
    return websocket_push(layer, false);
}

/* A whole frame, or the begin of one that is `total` long. There is room for it. */
static void websocket_put_frame(struct websocket *websocket, uint8_t opcode, struct bytes payload,
                                size_t total)
{
    struct wslay_frame_iocb frame = {
        .fin = 1,
        .opcode = opcode,
        .mask = !websocket->is_server,
        .payload_length = total,
        .data = payload.data,
        .data_length = payload.length,
    };
    websocket->passes_through = false;
    CHECK(wslay_frame_send(websocket->frames, &frame) == (ssize_t)payload.length);
    websocket->has_spoken = true;
}

/* ---- ping, pong, close ---- */

static bool websocket_has_room(const struct websocket *websocket)
{
    return WEBSOCKET_OUT_MAX - websocket->out_length >= WEBSOCKET_CONTROL_MAX + 16;
}

/* A pong that found no room is forgotten: the peer asks again, and only the newest ping must be answered. */
void websocket_put_control(struct websocket *websocket)
{
    bool owes = websocket->owes_pong || websocket->owes_close;
    if (!owes || websocket->frame_left > 0 || websocket->has_closed ||
        !websocket_make_out(websocket))
        return;
    if (websocket->owes_pong && websocket_has_room(websocket))
        websocket_put_frame(websocket, WSLAY_PONG,
                            bytes_at(websocket->pong, websocket->pong_length),
                            websocket->pong_length);
    websocket->owes_pong = false;
    if (!websocket->owes_close || !websocket_has_room(websocket))
        return;
    const uint8_t code[] = {(uint8_t)(websocket->close_code >> 8), (uint8_t)websocket->close_code};
    websocket_put_frame(websocket, WSLAY_CONNECTION_CLOSE, bytes_at(code, sizeof code),
                        sizeof code);
    websocket->owes_close = false;
    websocket->has_closed = true;
}

void websocket_keep_alive(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    bool is_quiet = !websocket->has_spoken && websocket->frame_left == 0 &&
                    websocket->out_length == 0 && !websocket->has_closed;
    if (websocket->is_up && is_quiet && websocket_make_out(websocket)) {
        websocket_put_frame(websocket, WSLAY_PING, bytes_at(NULL, 0), 0);
        (void)websocket_flush(layer); /* what fails shows in the next call of the owner */
    }
    websocket->has_spoken = false;
}

/* ---- bytes ---- */

/* A client's frames are whole: they are masked in memory. */
static enum conn_io websocket_begin_frame(struct layer *layer, struct bytes view, bool more,
                                          size_t *taken)
{
    struct websocket *websocket = layer->session;
    size_t piece = view.length < WEBSOCKET_PIECE_MAX ? view.length : WEBSOCKET_PIECE_MAX;
    size_t total = view.length < WEBSOCKET_FRAME_MAX ? view.length : WEBSOCKET_FRAME_MAX;
    if (!websocket->is_server)
        total = piece;
    *taken = 0;
    if (!websocket_make_out(websocket)) {
        websocket->has_failed = true;
        return channel_fail(layer->channel, "out of memory");
    }
    websocket_put_frame(websocket, WSLAY_BINARY_FRAME, bytes_first(view, piece), total);
    websocket->frame_left = total - piece;
    websocket_put_control(websocket);
    *taken = piece;
    return websocket_push(layer, more || piece < view.length);
}

static enum conn_io websocket_fill_frame(struct layer *layer, struct bytes view, bool more,
                                         size_t *taken)
{
    struct websocket *websocket = layer->session;
    uint64_t left = websocket->frame_left;
    struct bytes piece = view.length > left ? bytes_first(view, (size_t)left) : view;
    struct wslay_frame_iocb frame = {
        .fin = 1,
        .opcode = WSLAY_BINARY_FRAME,
        .payload_length = WEBSOCKET_FRAME_MAX,
        .data = piece.data,
        .data_length = piece.length,
    };
    websocket->passes_through = true;
    websocket->more = more || piece.length < view.length;
    websocket->io = CONN_OK;
    ssize_t sent = wslay_frame_send(websocket->frames, &frame);
    *taken = sent > 0 ? (size_t)sent : 0;
    websocket->frame_left -= *taken;
    websocket->has_spoken = true;
    if (websocket->frame_left == 0)
        websocket_put_control(websocket);
    return websocket->io;
}

enum conn_io websocket_send(struct layer *layer, struct bytes view, bool more, size_t *sent)
{
    struct websocket *websocket = layer->session;
    *sent = 0;
    if (websocket->has_failed)
        return CONN_FAILED;
    if (websocket->has_closed) {
        websocket->has_failed = true;
        return channel_fail(layer->channel, "the peer has closed the WebSocket");
    }
    websocket->layer = layer;
    enum conn_io io = websocket_push(layer, true);
    while (io == CONN_OK && *sent < view.length) {
        size_t taken = 0;
        struct bytes rest = bytes_skip(view, *sent);
        io = websocket->frame_left > 0 ? websocket_fill_frame(layer, rest, more, &taken)
                                       : websocket_begin_frame(layer, rest, more, &taken);
        *sent += taken;
    }
    if (io == CONN_OK) /* a pong, maybe */
        (void)websocket_push(layer, more);
    return *sent > 0 && io != CONN_FAILED ? CONN_OK : io;
}

/* The kernel does not move it, also where it could: the bytes of a file are framed as all others are. */
enum conn_io websocket_send_file(struct layer *layer, int file, uint64_t position, size_t length,
                                 size_t *sent)
{
    uint8_t bytes[WEBSOCKET_READ_MAX];
    size_t limit = WEBSOCKET_PIECE_MAX;
    enum conn_io io = CONN_OK;
    *sent = 0;
    while (io == CONN_OK && *sent < length) {
        size_t left = length - *sent;
        size_t wanted = left < limit ? left : limit;
        ssize_t got;
        do
            got = pread(file, bytes, wanted, (off_t)(position + *sent));
        while (got == -1 && errno == EINTR);
        if (got <= 0)
            return *sent > 0 ? CONN_OK : CONN_UNREADABLE;
        size_t taken = 0;
        io = websocket_send(layer, bytes_at(bytes, (size_t)got), (size_t)got < left, &taken);
        *sent += taken;
        if (taken < (size_t)got)
            break;
        limit = sizeof bytes;
    }
    return *sent > 0 && io != CONN_FAILED ? CONN_OK : io;
}

#endif
