/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include "relay/net/conn_push.h"

enum { SKIP_BYTES = 64 * 1024 }; /* sent bytes are moved out of the text from here on */

void outbox_init(struct outbox *outbox, size_t limit)
{
    text_init(&outbox->text, limit);
    outbox->sent = 0;
}

void outbox_fini(struct outbox *outbox)
{
    text_fini(&outbox->text);
    outbox->sent = 0;
}

size_t outbox_left(const struct outbox *outbox)
{
    return outbox->text.length - outbox->sent;
}

void outbox_forget_sent(struct outbox *outbox)
{
    text_skip(&outbox->text, outbox->sent);
    outbox->sent = 0;
}

bool outbox_send(struct outbox *outbox, struct conn *conn)
{
    size_t sent;
    struct bytes left = bytes_skip(text_bytes(&outbox->text), outbox->sent);
    enum conn_io io = conn_push(conn, left, &sent);
    outbox->sent += sent;
    /* One that has failed stays so. */
    if (outbox_left(outbox) == 0 && !outbox->text.failed)
        outbox_fini(outbox);
    else if (outbox->sent >= SKIP_BYTES)
        outbox_forget_sent(outbox);
    return io == CONN_OK || io == CONN_AGAIN;
}

void outbox_take_back(struct outbox *outbox, size_t length)
{
    struct text *text = &outbox->text;
    CHECK(outbox->sent <= length && length <= text->length);
    if (text->length == length)
        return;
    text->length = length;
    text->data[length] = '\0';
}
