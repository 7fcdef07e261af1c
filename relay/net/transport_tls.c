/* SPDX-License-Identifier: MIT
 *
 * TLS by OpenSSL. What conn.h promises of a send is more than OpenSSL does: "none went" leaves a caller
 * free to send something else next, while OpenSSL, once it has said that the socket is full, wants the
 * same bytes again. So OpenSSL writes to an outlet, which is never full when a send begins, and records
 * that the socket did not take are kept there and count as sent; they are the only copy of stream bytes
 * that a connection may hold, and only for as long as it is blocked.
 *
 * Where the kernel makes the records (kTLS), bytes and files are sent as on a plain socket. */
#include "transport_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_outlet.h"
#include "tls_private.h"

struct session {
    SSL *ssl;
    struct tls_peer peer;
    bool accepts_plain; /* a server: a client that does not speak TLS goes on without it */
    bool has_greeted;   /* a server: the first byte has been looked at */
    bool is_up;         /* the handshake is done */
    bool kernel_sends;  /* kTLS */
    bool has_more;      /* the last receive was given less room than there were bytes, maybe */
    bool has_failed;    /* with channel.error; told by the next call */
    bool has_finished;  /* close_notify is said */
    struct tls_outlet outlet;
};

static struct session *session_of(const struct layer *layer)
{
    return layer->session;
}

static enum conn_io transport_tls_fail(struct layer *layer, const char *why)
{
    session_of(layer)->has_failed = true;
    return channel_fail(layer->channel, why);
}

/* What a call of OpenSSL has answered that did not return 1. `waits` is the channel's for the kind of
 * call it was. */
static enum conn_io transport_tls_judge(struct layer *layer, int result, unsigned *waits)
{
    struct session *session = session_of(layer);
    int error = errno;
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *waits = WAITS_READ;
        return CONN_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *waits = WAITS_WRITE;
        return CONN_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return CONN_END;
    case SSL_ERROR_SYSCALL:
        break;
    default:
        error = 0;
    }
    session->has_failed = true;
    tls_explain(session->ssl, &session->peer, error, layer->channel->error);
    return CONN_FAILED;
}

/* ---- handshake ---- */

/* Plain text is told from TLS by its first byte; OpenSSL would have a dozen names for it. */
static enum conn_io look_at_first(struct layer *layer)
{
    struct session *session = session_of(layer);
    uint8_t first;
    ssize_t got = recv(layer->channel->fd, &first, 1, MSG_PEEK);
    if (got == -1 && (errno == EAGAIN || errno == EINTR))
        return CONN_AGAIN;
    if (got == -1)
        return transport_tls_fail(layer, strerror(errno));
    if (got == 0)
        return transport_tls_fail(layer, "the peer closed the connection before the TLS handshake");
    if (first != SSL3_RT_HANDSHAKE && session->accepts_plain) {
        /* Nothing of TLS has been said, and the byte that was looked at is still in the socket. */
        channel_remove(layer);
        return CONN_OK;
    }
    if (first != SSL3_RT_HANDSHAKE)
        return transport_tls_fail(
            layer, "TLS: plain text, or something else that is not TLS, on the TLS port");
    session->has_greeted = true;
    return CONN_OK;
}

static enum conn_io come_up(struct layer *layer)
{
    struct session *session = session_of(layer);
    session->kernel_sends = BIO_get_ktls_send(SSL_get_wbio(session->ssl)) > 0;
    if (!session->kernel_sends) {
        BIO *outlet = tls_outlet_bio(&session->outlet);
        if (outlet == NULL)
            return transport_tls_fail(layer, "out of memory");
        session->outlet.fd = layer->channel->fd;
        SSL_set0_wbio(session->ssl, outlet);
    }
    session->is_up = true;
    session->has_more = SSL_has_pending(session->ssl) == 1;
    layer->channel->receive_waits = WAITS_READ;
    layer->channel->send_waits = WAITS_WRITE;
    tls_context_note(session->peer.context, session->ssl);
    return CONN_OK;
}

static enum conn_io tls_handshake(struct layer *layer)
{
    struct session *session = session_of(layer);
    if (SSL_get_fd(session->ssl) == -1 && SSL_set_fd(session->ssl, layer->channel->fd) != 1)
        return transport_tls_fail(layer, "out of memory");
    layer->channel->handshake_waits = WAITS_READ;
    ERR_clear_error();
    if (session->peer.is_server && !session->has_greeted) {
        enum conn_io io = look_at_first(layer);
        if (io != CONN_OK || layer->transport == NULL)
            return io;
    }
    errno = 0;
    int result = SSL_do_handshake(session->ssl);
    if (result == 1)
        return come_up(layer);
    enum conn_io io = transport_tls_judge(layer, result, &layer->channel->handshake_waits);
    if (io == CONN_END)
        io = transport_tls_fail(layer, "the peer closed the connection in the TLS handshake");
    return io;
}

/* ---- the outlet ---- */

/* The socket takes nothing any more. Why the peer has gone may stand in an alert that nobody has read yet:
 * under TLS 1.3 a client is up before its certificate is looked at. */
static enum conn_io lose(struct layer *layer, const struct error *error)
{
    struct session *session = session_of(layer);
    struct error ignored;
    uint8_t byte;
    size_t count;
    ERR_clear_error();
    int result = SSL_peek_ex(session->ssl, &byte, 1, &count);
    bool is_told = result != 1 && SSL_get_error(session->ssl, result) == SSL_ERROR_SSL;
    (void)tls_outlet_push(&session->outlet, &ignored); /* an answer to that goes to nobody */
    if (!is_told)
        return transport_tls_fail(layer, error_reason(error));
    session->has_failed = true;
    tls_explain(session->ssl, &session->peer, 0, layer->channel->error);
    return CONN_FAILED;
}

static enum conn_io push(struct layer *layer)
{
    struct error error;
    switch (tls_outlet_push(&session_of(layer)->outlet, &error)) {
    case OUTLET_EMPTY:
        return CONN_OK;
    case OUTLET_OWES:
        layer->channel->send_waits = WAITS_WRITE;
        return CONN_AGAIN;
    case OUTLET_BROKEN:
        return lose(layer, &error);
    }
    UNREACHABLE("no such result");
}

/* ---- receiving ---- */

/* What OpenSSL has to say to what it has read: that a key changes, or what is wrong with a record. What
 * the socket does not take is owed; that it is broken the next call finds. */
static void answer(struct layer *layer)
{
    struct error ignored;
    if (session_of(layer)->outlet.owed == NULL)
        (void)tls_outlet_push(&session_of(layer)->outlet, &ignored);
}

/* Fills what it was given, record by record: callers read once a turn, and a record is small. */
static enum conn_io tls_receive(struct layer *layer, void *into, size_t capacity, size_t *received)
{
    struct session *session = session_of(layer);
    *received = 0;
    if (session->has_failed)
        return CONN_FAILED;
    enum conn_io io = CONN_OK;
    layer->channel->send_waits = WAITS_WRITE;
    while (*received < capacity && io == CONN_OK) {
        size_t count = 0;
        ERR_clear_error();
        errno = 0;
        layer->channel->receive_waits = WAITS_READ;
        int result =
            SSL_read_ex(session->ssl, (uint8_t *)into + *received, capacity - *received, &count);
        *received += count;
        if (result != 1)
            io = transport_tls_judge(layer, result, &layer->channel->receive_waits);
    }
    session->has_more = io == CONN_OK || io == CONN_END; /* an end is told behind the last bytes */
    answer(layer);
    return *received > 0 ? CONN_OK : io;
}

/* Bytes that OpenSSL has taken from the socket already, or a failure that came behind the last bytes.
 * SSL_has_pending would say yes of half a record, too, for which nothing can be done but wait. */
static bool tls_has_pending(const struct layer *layer)
{
    const struct session *session = session_of(layer);
    return session->has_failed || session->has_more;
}

/* ---- sending ---- */

/* Nothing is owed, so the outlet takes it: OpenSSL never keeps a record that it wants to write again. */
static enum conn_io write_record(struct layer *layer, const void *data, size_t length,
                                 size_t *written)
{
    struct session *session = session_of(layer);
    errno = 0;
    int result = SSL_write_ex(session->ssl, data, length, written);
    if (result == 1)
        return CONN_OK;
    *written = 0;
    enum conn_io io = transport_tls_judge(layer, result, &layer->channel->send_waits);
    return io == CONN_END ? transport_tls_fail(layer, "the peer has closed the TLS session") : io;
}

/* Where a send takes its bytes from: memory, or a file. */
struct supply {
    struct bytes view;
    int file; /* -1: the view */
    uint64_t position;
    size_t length;
};

/* The next record's bytes, `into` for those of a file; fewer than were asked for are all that there are. */
static bool next_bytes(const struct supply *supply, size_t at, uint8_t into[TLS_RECORD_MAX],
                       struct bytes *bytes)
{
    size_t left = supply->length - at;
    size_t length = left < TLS_RECORD_MAX ? left : TLS_RECORD_MAX;
    if (supply->file == -1) {
        *bytes = bytes_first(bytes_skip(supply->view, at), length);
        return true;
    }
    ssize_t got;
    do
        got = pread(supply->file, into, length, (off_t)(supply->position + at));
    while (got == -1 && errno == EINTR);
    *bytes = bytes_at(into, got > 0 ? (size_t)got : 0);
    return got != -1;
}

/* Gathers as many records as the socket has room for. */
static enum conn_io gather(struct layer *layer, const struct supply *supply, size_t *sent)
{
    uint8_t record[TLS_RECORD_MAX];
    unsigned room = 1;
    if (supply->length - *sent > TLS_RECORD_MAX)
        room = tls_outlet_room(&session_of(layer)->outlet);
    ERR_clear_error();
    for (; room > 0 && *sent < supply->length; room--) {
        struct bytes bytes;
        if (!next_bytes(supply, *sent, record, &bytes) || bytes.length == 0)
            return CONN_UNREADABLE;
        size_t written;
        enum conn_io io = write_record(layer, bytes.data, bytes.length, &written);
        *sent += written;
        if (io != CONN_OK)
            return io;
    }
    return CONN_OK;
}

/* What is gathered leaves also where the next record fails. */
static enum conn_io send_all_of(struct layer *layer, const struct supply *supply, size_t *sent)
{
    struct session *session = session_of(layer);
    *sent = 0;
    if (session->has_failed)
        return CONN_FAILED;
    bool reads_first =
        SSL_in_init(session->ssl) == 1; /* the rest of a message, and what comes behind it */
    layer->channel->send_waits = WAITS_WRITE;
    enum conn_io io = push(layer);
    while (io == CONN_OK && *sent < supply->length) {
        io = gather(layer, supply, sent);
        enum conn_io pushed = push(layer);
        io = io == CONN_OK ? pushed : io;
    }
    session->has_more = session->has_more || (reads_first && SSL_has_pending(session->ssl) == 1);
    return *sent > 0 ? CONN_OK : io;
}

static enum conn_io tls_send(struct layer *layer, struct bytes view, bool more, size_t *sent)
{
    if (session_of(layer)->kernel_sends)
        return layer_send(layer->below, view, more, sent);
    struct supply supply = {.view = view, .file = -1, .length = view.length};
    return send_all_of(layer, &supply, sent);
}

static enum conn_io tls_send_file(struct layer *layer, int file, uint64_t position, size_t length,
                                  size_t *sent)
{
    if (session_of(layer)->kernel_sends)
        return layer_send_file(layer->below, file, position, length, sent);
    struct supply supply = {.file = file, .position = position, .length = length};
    return send_all_of(layer, &supply, sent);
}

static bool tls_moves_files(const struct layer *layer)
{
    return session_of(layer)->kernel_sends;
}

/* ---- ending ---- */

static bool tls_has_unsent(const struct layer *layer)
{
    return session_of(layer)->outlet.owed != NULL;
}

static enum conn_io tls_flush(struct layer *layer)
{
    return push(layer);
}

/* A peer that does not take our close_notify gets a plain end. */
static enum conn_io tls_finish(struct layer *layer)
{
    struct session *session = session_of(layer);
    if (!session->has_finished) {
        ERR_clear_error();
        layer->channel->send_waits = WAITS_WRITE;
        int result = SSL_shutdown(session->ssl);
        if (result < 0 &&
            transport_tls_judge(layer, result, &layer->channel->send_waits) == CONN_AGAIN)
            return CONN_AGAIN;
        session->has_finished = true;
    }
    return push(layer);
}

static void tls_fini(struct layer *layer)
{
    struct session *session = session_of(layer);
    ERR_clear_error();
    if (session->is_up && !session->has_failed && session->outlet.owed == NULL) {
        (void)SSL_shutdown(session->ssl);
        (void)push(layer);
    }
    /* Else SSL_free would take an end that was not polite for a reason to spoil the session, and the
     * next connection could not resume it. */
    SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(session->ssl);
    ERR_clear_error();
    tls_outlet_fini(&session->outlet);
    tls_context_release(&session->peer.context);
    free(session);
}

static const struct transport transport_tls = {
    .name = "TLS",
    .handshake = tls_handshake,
    .receive = tls_receive,
    .send = tls_send,
    .send_file = tls_send_file,
    .moves_files = tls_moves_files,
    .has_pending = tls_has_pending,
    .has_unsent = tls_has_unsent,
    .flush = tls_flush,
    .finish = tls_finish,
    .fini = tls_fini,
};

bool transport_tls_begin(struct channel *channel, struct tls_context *context, const char *host,
                         bool accepts_plain)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return false;
    session->ssl = tls_context_begin(context, &session->peer, host);
    if (session->ssl == NULL) {
        free(session);
        return false;
    }
    session->accepts_plain = accepts_plain;
    channel_add(channel, LAYER_TLS, &transport_tls, session);
    return true;
}
