/* SPDX-License-Identifier: MIT
 *
 * TLS by OpenSSL. What conn.h promises of a send is more than OpenSSL does: "none went" leaves a caller
 * free to send something else next, while OpenSSL, once it has said that the socket is full, wants the
 * same bytes again. So a record that the socket did not take is kept here, and counts as sent; it is
 * the only copy of stream bytes that a connection may hold, and only for as long as it is blocked.
 *
 * Where the kernel makes the records (kTLS), bytes and files are sent as on a plain socket. */
#include "transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_private.h"

enum { RECORD_MAX = 16 * 1024 };

struct session {
    SSL *ssl;
    struct tls_peer peer;
    bool has_greeted;  /* a server: the first byte has been looked at */
    bool is_up;        /* the handshake is done */
    bool kernel_sends; /* kTLS */
    bool has_failed;   /* with channel.error; told by the next call */
    bool is_finishing; /* close_notify is due */
    uint8_t *owed;     /* a record that counts as sent; NULL: none */
    size_t owed_length;
};

static struct session *session_of(const struct channel *channel)
{
    return channel->session;
}

bool tls_begin(struct channel *channel, struct tls_context *context, const char *host)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return false;
    session->ssl = tls_context_begin(context, &session->peer, host);
    if (session->ssl == NULL) {
        free(session);
        return false;
    }
    channel->transport = &transport_tls;
    channel->session = session;
    channel->receive_waits = WAITS_READ;
    channel->send_waits = WAITS_WRITE;
    return true;
}

static enum conn_io fail(struct channel *channel, const char *why)
{
    session_of(channel)->has_failed = true;
    snprintf(channel->error, sizeof channel->error, "%s", why);
    return CONN_FAILED;
}

/* What a call of OpenSSL has answered that did not return 1. `waits` is the channel's for the kind of
 * call it was. */
static enum conn_io judge(struct channel *channel, int result, unsigned *waits)
{
    struct session *session = session_of(channel);
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
    tls_explain(session->ssl, &session->peer, error, channel->error);
    return CONN_FAILED;
}

/* ---- handshake ---- */

/* Plain text is told from TLS by its first byte; OpenSSL would have a dozen names for it. */
static enum conn_io look_at_first(struct channel *channel)
{
    struct session *session = session_of(channel);
    uint8_t first;
    ssize_t got = recv(channel->fd, &first, 1, MSG_PEEK);
    if (got == -1 && (errno == EAGAIN || errno == EINTR))
        return CONN_AGAIN;
    if (got == -1)
        return fail(channel, strerror(errno));
    if (got == 0)
        return fail(channel, "the peer closed the connection before the TLS handshake");
    if (first != SSL3_RT_HANDSHAKE)
        return fail(channel, "TLS: plain text, or something else that is not TLS, on the TLS port");
    session->has_greeted = true;
    return CONN_OK;
}

static void note_up(struct channel *channel)
{
    struct session *session = session_of(channel);
    session->is_up = true;
    session->kernel_sends = BIO_get_ktls_send(SSL_get_wbio(session->ssl)) > 0;
    channel->receive_waits = WAITS_READ;
    channel->send_waits = WAITS_WRITE;
    tls_context_note(session->peer.context, session->ssl);
}

static enum conn_io tls_handshake(struct channel *channel)
{
    struct session *session = session_of(channel);
    if (SSL_get_fd(session->ssl) == -1 && SSL_set_fd(session->ssl, channel->fd) != 1)
        return fail(channel, "memory is out");
    ERR_clear_error();
    if (session->peer.is_server && !session->has_greeted) {
        enum conn_io io = look_at_first(channel);
        if (io != CONN_OK)
            return io;
    }
    errno = 0;
    int result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        note_up(channel);
        return CONN_OK;
    }
    enum conn_io io = judge(channel, result, &channel->receive_waits);
    if (io == CONN_END)
        io = fail(channel, "the peer closed the connection in the TLS handshake");
    return io;
}

/* ---- receiving ---- */

/* Fills what it was given, record by record: callers read once a turn, and a record is small. */
static enum conn_io tls_receive(struct channel *channel, void *into, size_t capacity,
                                size_t *received)
{
    struct session *session = session_of(channel);
    *received = 0;
    if (session->has_failed)
        return CONN_FAILED;
    enum conn_io io = CONN_OK;
    channel->send_waits = WAITS_WRITE;
    while (*received < capacity && io == CONN_OK) {
        size_t count = 0;
        ERR_clear_error();
        errno = 0;
        channel->receive_waits = WAITS_READ;
        int result =
            SSL_read_ex(session->ssl, (uint8_t *)into + *received, capacity - *received, &count);
        *received += count;
        if (result != 1)
            io = judge(channel, result, &channel->receive_waits);
    }
    return *received > 0 ? CONN_OK : io;
}

/* Bytes that OpenSSL has decrypted already, or a failure that came behind the last bytes. */
static bool tls_has_pending(const struct channel *channel)
{
    const struct session *session = session_of(channel);
    return session->has_failed || SSL_pending(session->ssl) > 0;
}

/* ---- sending ---- */

static enum conn_io write_record(struct channel *channel, const void *data, size_t length,
                                 size_t *written)
{
    struct session *session = session_of(channel);
    ERR_clear_error();
    errno = 0;
    channel->send_waits = WAITS_WRITE;
    int result = SSL_write_ex(session->ssl, data, length, written);
    if (result == 1)
        return CONN_OK;
    *written = 0;
    enum conn_io io = judge(channel, result, &channel->send_waits);
    return io == CONN_END ? fail(channel, "the peer has closed the TLS session") : io;
}

static void forget_owed(struct session *session)
{
    free(session->owed);
    session->owed = NULL;
    session->owed_length = 0;
}

static enum conn_io send_owed(struct channel *channel)
{
    struct session *session = session_of(channel);
    size_t position = 0;
    while (position < session->owed_length) {
        size_t written;
        enum conn_io io = write_record(channel, session->owed + position,
                                       session->owed_length - position, &written);
        if (io != CONN_OK) {
            /* What OpenSSL holds is a beginning of what is left. */
            session->owed_length -= position;
            memmove(session->owed, session->owed + position, session->owed_length);
            return io;
        }
        position += written;
    }
    forget_owed(session);
    return CONN_OK;
}

/* Keeps what the socket did not take. */
static enum conn_io owe(struct channel *channel, const void *data, size_t length)
{
    struct session *session = session_of(channel);
    CHECK(session->owed == NULL && length <= RECORD_MAX);
    session->owed = malloc(length);
    if (session->owed == NULL)
        return fail(channel, "memory is out");
    memcpy(session->owed, data, length);
    session->owed_length = length;
    return CONN_OK;
}

/* One record at most. */
static enum conn_io send_record(struct channel *channel, struct bytes view, size_t *sent)
{
    size_t length = view.length < RECORD_MAX ? view.length : RECORD_MAX;
    enum conn_io io = write_record(channel, view.data, length, sent);
    if (io != CONN_AGAIN)
        return io;
    *sent = length;
    return owe(channel, view.data, length);
}

/* May a record be sent now? */
static enum conn_io begin_send(struct channel *channel, size_t *sent)
{
    *sent = 0;
    channel->receive_waits = WAITS_READ;
    return session_of(channel)->has_failed ? CONN_FAILED : send_owed(channel);
}

/* Between the two records leave in full segments; each would be pushed out by itself, and wake the peer.
 * A socket that knows no TCP_CORK sends as it did. */
static void cork(const struct channel *channel, bool is_corked)
{
    int value = is_corked;
    (void)setsockopt(channel->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

static enum conn_io send_records(struct channel *channel, struct bytes view, size_t *sent)
{
    enum conn_io io = CONN_OK;
    while (io == CONN_OK && session_of(channel)->owed == NULL && *sent < view.length) {
        size_t count = 0;
        io = send_record(channel, bytes_skip(view, *sent), &count);
        *sent += count;
    }
    return io;
}

static enum conn_io tls_send(struct channel *channel, struct bytes view, bool more, size_t *sent)
{
    if (session_of(channel)->kernel_sends)
        return transport_plain.send(channel, view, more, sent);
    enum conn_io io = begin_send(channel, sent);
    if (io != CONN_OK)
        return io;
    bool is_bulk = view.length > RECORD_MAX;
    if (is_bulk)
        cork(channel, true);
    io = send_records(channel, view, sent);
    if (is_bulk)
        cork(channel, false);
    return io == CONN_FAILED && *sent > 0 ? CONN_OK : io;
}

/* A record of the file; it is shorter than promised where nothing is read. */
static enum conn_io send_file_record(struct channel *channel, int file, uint64_t position,
                                     size_t length, size_t *sent)
{
    uint8_t record[RECORD_MAX];
    ssize_t got;
    do
        got = pread(file, record, length < RECORD_MAX ? length : RECORD_MAX, (off_t)position);
    while (got == -1 && errno == EINTR);
    *sent = 0;
    if (got == -1)
        return fail(channel, strerror(errno));
    if (got == 0)
        return fail(channel, "the file is shorter than what is due");
    return send_record(channel, bytes_at(record, (size_t)got), sent);
}

static enum conn_io tls_send_file(struct channel *channel, int file, uint64_t position,
                                  size_t length, size_t *sent)
{
    struct session *session = session_of(channel);
    if (session->kernel_sends)
        return transport_plain.send_file(channel, file, position, length, sent);
    enum conn_io io = begin_send(channel, sent);
    if (io != CONN_OK)
        return io;
    cork(channel, true);
    while (io == CONN_OK && session->owed == NULL && *sent < length) {
        size_t count = 0;
        io = send_file_record(channel, file, position + *sent, length - *sent, &count);
        *sent += count;
    }
    cork(channel, false);
    return io == CONN_FAILED && *sent > 0 ? CONN_OK : io;
}

static bool tls_moves_files(const struct channel *channel)
{
    return session_of(channel)->kernel_sends;
}

/* ---- ending ---- */

static bool tls_has_unsent(const struct channel *channel)
{
    const struct session *session = session_of(channel);
    return session->owed != NULL || session->is_finishing;
}

/* A peer that does not take our close_notify gets a plain end. */
static enum conn_io say_goodbye(struct channel *channel)
{
    struct session *session = session_of(channel);
    ERR_clear_error();
    channel->send_waits = WAITS_WRITE;
    int result = SSL_shutdown(session->ssl);
    if (result < 0 && judge(channel, result, &channel->send_waits) == CONN_AGAIN)
        return CONN_AGAIN;
    session->is_finishing = false;
    (void)shutdown(channel->fd, SHUT_WR);
    return CONN_OK;
}

static enum conn_io tls_flush(struct channel *channel)
{
    const struct session *session = session_of(channel);
    enum conn_io io = send_owed(channel);
    return io == CONN_OK && session->is_finishing ? say_goodbye(channel) : io;
}

static void tls_finish(struct channel *channel)
{
    session_of(channel)->is_finishing = true;
    (void)tls_flush(channel);
}

static void tls_fini(struct channel *channel)
{
    struct session *session = session_of(channel);
    ERR_clear_error();
    if (session->is_up && !session->has_failed && session->owed == NULL)
        (void)SSL_shutdown(session->ssl);
    /* Else SSL_free would take an end that was not polite for a reason to spoil the session, and the
     * next connection could not resume it. */
    SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(session->ssl);
    ERR_clear_error();
    forget_owed(session);
    tls_context_release(&session->peer.context);
    free(session);
    channel->session = NULL;
}

const struct transport transport_tls = {
    .name = "tls",
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
