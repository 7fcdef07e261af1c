/* SPDX-License-Identifier: MIT */
#include "relay/net/conn_push.h"

enum conn_io conn_push(struct conn *conn, struct bytes view, size_t *sent)
{
    enum conn_io io = CONN_OK;
    *sent = 0;
    while (io == CONN_OK && *sent < view.length) {
        size_t piece = 0;
        io = conn_send(conn, bytes_skip(view, *sent), false, &piece);
        *sent += piece;
    }
    return io;
}

enum conn_io conn_push_text(struct conn *conn, struct text *out)
{
    size_t sent;
    enum conn_io io = conn_push(conn, text_bytes(out), &sent);
    text_skip(out, sent);
    return io;
}
