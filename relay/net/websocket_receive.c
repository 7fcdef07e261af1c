/* SPDX-License-Identifier: MIT */
#ifdef HAVE_WSLAY

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "websocket_session.h"

static size_t websocket_early(const struct websocket *websocket)
{
    return websocket->opening != NULL ? websocket->opening->heard_length - websocket->early_taken
                                      : 0;
}

static size_t websocket_take_early(struct websocket *websocket, uint8_t *into, size_t length)
{
    struct websocket_opening *opening = websocket->opening;
    size_t early = websocket_early(websocket);
    size_t taken = early < length ? early : length;
    memcpy(into, opening->heard + websocket->early_taken, taken);
    websocket->early_taken += taken;
    if (taken == early) {
        text_fini(&opening->said);
        free(opening);
        websocket->opening = NULL;
    }
    return taken;
}

static size_t websocket_raw_left(const struct websocket *websocket)
{
    return websocket->raw_length - websocket->raw_taken;
}

/* libwslay asks for 4 KiB at a time, and a record of TLS has 16. No more is read than the caller has room for, so
 * nothing of it is left when the call is over. */
static void websocket_read_raw(struct websocket *websocket)
{
    size_t length = websocket->room < WEBSOCKET_RAW_MAX ? websocket->room : WEBSOCKET_RAW_MAX;
    websocket->raw_length = websocket->raw_taken = 0;
    websocket->io = CONN_OK;
    if (length == 0)
        return;
    if (websocket_early(websocket) > 0)
        websocket->raw_length = websocket_take_early(websocket, websocket->raw, length);
    else
        websocket->io =
            layer_receive(websocket->layer->below, websocket->raw, length, &websocket->raw_length);
}

ssize_t websocket_on_receive(uint8_t *into, size_t length, int flags, void *arg)
{
    struct websocket *websocket = arg;
    (void)flags;
    if (websocket_raw_left(websocket) == 0)
        websocket_read_raw(websocket);
    size_t left = websocket_raw_left(websocket);
    size_t taken = left < length ? left : length;
    memcpy(into, websocket->raw + websocket->raw_taken, taken);
    websocket->raw_taken += taken;
    return taken > 0 ? (ssize_t)taken : -1;
}

/* Says so to the peer, and to the owner. */
static enum conn_io websocket_break(struct layer *layer, uint16_t code, const char *why)
{
    struct websocket *websocket = layer->session;
    char words[CHANNEL_ERROR_MAX];
    snprintf(words, sizeof words, "WebSocket: %s", why);
    websocket->has_failed = true;
    websocket->owes_close = true;
    websocket->close_code = code;
    websocket_put_control(websocket);
    (void)websocket_flush(layer);
    return channel_fail(layer->channel, words);
}

/* ---- frames ---- */

/* A frame begins. NULL: it may. */
static const char *websocket_begin(struct websocket *websocket,
                                   const struct wslay_frame_iocb *frame)
{
    bool is_control = wslay_is_ctrl_frame(frame->opcode);
    bool is_continuation = frame->opcode == WSLAY_CONTINUATION_FRAME;
    if (frame->rsv != 0)
        return "a frame with reserved bits";
    if ((frame->mask != 0) != websocket->is_server)
        return websocket->is_server ? "a frame that is not masked" : "a masked frame of a server";
    if (is_control && (frame->fin == 0 || frame->payload_length > WEBSOCKET_CONTROL_MAX))
        return "a control frame that is too long or a fragment";
    if (is_control ? frame->opcode > WSLAY_PONG : frame->opcode > WSLAY_BINARY_FRAME)
        return "a frame of an unknown kind";
    if (!is_control && is_continuation != websocket->in_message)
        return is_continuation ? "a fragment without a message" : "a message within a message";
    websocket->in_frame = true;
    websocket->opcode = frame->opcode;
    websocket->is_final = frame->fin != 0;
    websocket->payload_left = frame->payload_length;
    websocket->control_length = 0;
    return NULL;
}

static void websocket_take_close(struct websocket *websocket)
{
    bool has_code = websocket->control_length >= 2;
    uint16_t code = (uint16_t)(websocket->control[0] << 8 | websocket->control[1]);
    websocket->has_ended = true;
    if (websocket->has_closed)
        return;
    websocket->owes_close = true;
    websocket->close_code = has_code ? code : WSLAY_CODE_NORMAL_CLOSURE;
}

/* A frame is whole. */
static void websocket_end(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    websocket->in_frame = false;
    switch (websocket->opcode) {
    case WSLAY_CONNECTION_CLOSE:
        websocket_take_close(websocket);
        break;
    case WSLAY_PING:
        websocket->owes_pong = true;
        websocket->pong_length = websocket->control_length;
        memcpy(websocket->pong, websocket->control, websocket->control_length);
        break;
    case WSLAY_PONG:
        return;
    default:
        websocket->in_message = !websocket->is_final;
        return;
    }
    websocket_put_control(websocket);
    (void)websocket_flush(layer); /* what fails shows in the next call */
}

/* Returns how many bytes of data there were. */
static size_t websocket_take_payload(struct websocket *websocket,
                                     const struct wslay_frame_iocb *frame, uint8_t *into,
                                     size_t capacity)
{
    size_t length = frame->data_length;
    CHECK(length <= websocket->payload_left);
    websocket->payload_left -= length;
    if (length == 0)
        return 0;
    if (wslay_is_ctrl_frame(websocket->opcode)) {
        memcpy(websocket->control + websocket->control_length, frame->data, length);
        websocket->control_length += length;
        return 0;
    }
    CHECK(length <= capacity); /* no more was taken from below */
    memcpy(into, frame->data, length);
    return length;
}

/* The next piece of a frame. CONN_AGAIN and the like: what the layer below has answered, and nothing came. */
static enum conn_io websocket_next(struct layer *layer, uint8_t *into, size_t capacity,
                                   size_t *received)
{
    struct websocket *websocket = layer->session;
    struct wslay_frame_iocb frame = {.fin = 0};
    CHECK(capacity >= websocket_raw_left(websocket));
    websocket->room = capacity - websocket_raw_left(websocket);
    ssize_t got = wslay_frame_recv(websocket->frames, &frame);
    if (got == WSLAY_ERR_WANT_READ)
        return websocket->io; /* CONN_OK: there was room for a part of a head alone */
    if (got < 0)
        return websocket_break(layer, WSLAY_CODE_PROTOCOL_ERROR, "a frame that is malformed");
    if (!websocket->in_frame) {
        const char *fault = websocket_begin(websocket, &frame);
        if (fault != NULL)
            return websocket_break(layer, WSLAY_CODE_PROTOCOL_ERROR, fault);
        if (frame.opcode == WSLAY_TEXT_FRAME)
            return websocket_break(layer, WSLAY_CODE_UNSUPPORTED_DATA, "a message of text");
    }
    *received += websocket_take_payload(websocket, &frame, into, capacity);
    if (websocket->payload_left == 0)
        websocket_end(layer);
    return CONN_OK;
}

enum conn_io websocket_receive(struct layer *layer, void *into, size_t capacity, size_t *received)
{
    struct websocket *websocket = layer->session;
    enum conn_io io = CONN_OK;
    unsigned pieces = 0;
    uint8_t raw[WEBSOCKET_RAW_MAX];
    *received = 0;
    websocket->layer = layer;
    websocket->raw = raw;
    websocket->raw_length = websocket->raw_taken = 0;
    websocket->has_more = false;
    while (io == CONN_OK && *received < capacity) {
        if (websocket->has_failed || websocket->has_ended) {
            io = websocket->has_failed ? CONN_FAILED : CONN_END;
        } else if (pieces++ >= WEBSOCKET_FRAMES_MAX && websocket_raw_left(websocket) == 0) {
            io = CONN_AGAIN; /* frames without bytes, maybe, and no end of them */
            websocket->has_more = true;
        } else {
            io = websocket_next(layer, (uint8_t *)into + *received, capacity - *received, received);
        }
    }
    websocket->raw = NULL;
    websocket->has_more |= io == CONN_OK;
    if (io == CONN_FAILED)
        websocket->has_failed = true;
    /* A failure or an end is told by the next call where bytes came before it. */
    if (*received == 0)
        return io;
    websocket->has_more |= io == CONN_FAILED || io == CONN_END;
    return CONN_OK;
}

#endif
