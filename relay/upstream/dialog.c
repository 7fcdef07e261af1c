/* SPDX-License-Identifier: MIT */
#include "dialog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/resp/writer.h"

enum { KEEPALIVE_S = 10 }; /* a vanished host is noticed after twice that */

bool dialog_init(struct dialog *dialog)
{
    memset(dialog, 0, sizeof(*dialog));
    greeting_init(&dialog->greeting);
    text_init(&dialog->out, DIALOG_OUT_MAX);
    dialog->buffer = malloc(DIALOG_BUFFER);
    return dialog->buffer != NULL;
}

void dialog_fini(struct dialog *dialog)
{
    dialog_close(dialog);
    greeting_fini(&dialog->greeting);
    text_fini(&dialog->out);
    free(dialog->buffer);
    dialog->buffer = NULL;
}

bool dialog_open(struct dialog *dialog, struct loop *loop, const char *host, uint16_t port,
                 conn_event_fn *fn, void *arg)
{
    CHECK(dialog->conn == NULL);
    const struct conn_options options = {
        .keepalive_s = KEEPALIVE_S,
        .unanswered_ms = dialog->unanswered_ms > 0 ? dialog->unanswered_ms : DIALOG_UNANSWERED_MS,
        .connect_ms_max = dialog->connect_ms_max,
        .tls = dialog->tls,
    };
    text_clear(&dialog->out);
    dialog->pending = bytes_at(NULL, 0);
    dialog->is_resting = false;
    dialog->last_io_ms = clock_ms();
    dialog->conn = conn_connect(loop, host, port, &options, fn, arg);
    return dialog->conn != NULL;
}

void dialog_close(struct dialog *dialog)
{
    if (dialog->conn == NULL)
        return;
    dialog->received += conn_received_total(dialog->conn);
    dialog->pending = bytes_at(NULL, 0);
    conn_close(&dialog->conn);
}

void dialog_greet(struct dialog *dialog, const struct greeting_terms *terms)
{
    dialog->last_io_ms = clock_ms();
    greeting_start(&dialog->greeting, terms, &dialog->out);
}

void dialog_set_credentials(struct dialog *dialog, const char *user, const char *password)
{
    dialog->greeting.terms.user = user;
    dialog->greeting.terms.password = password;
}

static void want(struct dialog *dialog)
{
    conn_want(dialog->conn, !dialog->is_resting, dialog->out.length > 0);
}

void dialog_rest(struct dialog *dialog, bool rest)
{
    dialog->is_resting = rest;
    want(dialog);
}

bool dialog_flush(struct dialog *dialog)
{
    while (dialog->out.length > 0) {
        size_t sent;
        enum conn_io io = conn_send(dialog->conn, text_bytes(&dialog->out), false, &sent);
        if (io == CONN_AGAIN)
            break;
        if (io != CONN_OK)
            return false;
        text_skip(&dialog->out, sent);
    }
    want(dialog);
    return true;
}

bool dialog_acknowledge(struct dialog *dialog, uint64_t offset, bool is_durable)
{
    if (dialog->out.length == 0) {
        char number[24];
        snprintf(number, sizeof(number), "%" PRIu64, offset);
        const char *command = renames_word(dialog->greeting.terms.renames, "REPLCONF");
        const char *const words[] = {command, "ACK", number, "FACK", number};
        struct writer writer = {&dialog->out, 2};
        write_command(&writer, words, is_durable ? LENGTH_OF(words) : 3);
    }
    return dialog_flush(dialog);
}

bool dialog_receive(struct dialog *dialog, struct text *why)
{
    CHECK(dialog->pending.length == 0);
    size_t received;
    switch (conn_receive(dialog->conn, dialog->buffer, DIALOG_BUFFER, &received)) {
    case CONN_OK:
        dialog->last_io_ms = clock_ms();
        dialog->pending = bytes_at(dialog->buffer, received);
        return true;
    case CONN_AGAIN:
        return true;
    case CONN_END:
        text_format(why, "the origin closed the connection");
        return false;
    case CONN_FAILED:
    case CONN_UNREADABLE:
        text_format(why, "%s", conn_error(dialog->conn));
        return false;
    }
    UNREACHABLE("an io without a case");
}

uint64_t dialog_received(const struct dialog *dialog)
{
    return dialog->received + (dialog->conn != NULL ? conn_received_total(dialog->conn) : 0);
}
