/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

enum { READ_AHEAD = 256 * 1024 };

static SSL_CTX *context(void)
{
    static SSL_CTX *made;
    if (made != NULL)
        return made;
    made = SSL_CTX_new(TLS_client_method());
    CHECK(made != NULL);
    return made;
}

/* The handshake is not what is measured: it is done on the spot. */
static void secure(struct wire *wire)
{
    wire->ssl = SSL_new(context());
    CHECK(wire->ssl != NULL && SSL_set_fd(wire->ssl, wire->fd) == 1);
    if (wire->kind == WIRE_TLS) { /* many records by one call: it is not us who is measured */
        SSL_set_read_ahead(wire->ssl, 1);
        SSL_set_default_read_buffer_len(wire->ssl, READ_AHEAD);
    }
    errno = 0;
    if (SSL_connect(wire->ssl) != 1)
        die("TLS is refused");
}

void wire_open(struct wire *wire, uint16_t port, enum wire_kind kind)
{
    *wire = (struct wire){.fd = connect_to(port), .kind = kind};
    if (kind != WIRE_PLAIN)
        secure(wire);
    set_nonblocking(wire->fd);
}

void wire_close(struct wire *wire)
{
    SSL_free(wire->ssl);
    close(wire->fd);
    *wire = (struct wire){.fd = -1};
}

static long receive_secured(struct wire *wire, void *into, size_t capacity)
{
    size_t total = 0;
    while (total < capacity) {
        size_t got;
        if (SSL_read_ex(wire->ssl, (uint8_t *)into + total, capacity - total, &got) != 1)
            break;
        total += got;
    }
    if (total > 0)
        return (long)total;
    return SSL_get_error(wire->ssl, 0) == SSL_ERROR_WANT_READ ? WIRE_AGAIN : WIRE_GONE;
}

static long receive_plain(struct wire *wire, void *into, size_t capacity, int flags)
{
    ssize_t got;
    do
        got = recv(wire->fd, into, capacity, flags);
    while (got == -1 && errno == EINTR);
    if (got > 0)
        return got;
    return got == -1 && errno == EAGAIN ? WIRE_AGAIN : WIRE_GONE;
}

long wire_receive(struct wire *wire, void *into, size_t capacity)
{
    CHECK(!wire->is_unread);
    return wire->ssl != NULL ? receive_secured(wire, into, capacity)
                             : receive_plain(wire, into, capacity, 0);
}

/* ---- records that nobody reads ---- */

/* Of TLS 1.3: what stands in a record beside the data, behind its header. */
enum { TAG_BYTES = 16, TYPE_BYTES = 1 };

/* Of the record in hand, without its header. */
static size_t record_bytes(const struct wire *wire)
{
    return (size_t)wire->header[3] << 8 | wire->header[4];
}

/* Reads what is missing of the header. */
static long begin_record(struct wire *wire)
{
    long got = receive_plain(wire, wire->header + wire->header_length,
                             WIRE_HEADER_BYTES - wire->header_length, 0);
    if (got < 0)
        return got;
    wire->header_length += (size_t)got;
    if (wire->header_length == WIRE_HEADER_BYTES)
        wire->record_left = record_bytes(wire);
    return 0;
}

/* The data of a record counts when the whole of it has come. */
static long pass_record(struct wire *wire)
{
    long got = receive_plain(wire, NULL, wire->record_left, MSG_TRUNC);
    if (got < 0)
        return got;
    wire->record_left -= (size_t)got;
    if (wire->record_left > 0)
        return 0;
    wire->header_length = 0;
    return (long)record_bytes(wire) - TAG_BYTES - TYPE_BYTES;
}

/* Whole records, until there are that many bytes. */
static long discard_records(struct wire *wire, size_t wanted)
{
    size_t total = 0;
    while (total < wanted) {
        long got = wire->record_left > 0 ? pass_record(wire) : begin_record(wire);
        if (got < 0)
            return total > 0 ? (long)total : got;
        total += (size_t)got;
    }
    return (long)total;
}

/* OpenSSL holds nothing any more: from here on records pass it by. */
static bool leaves_openssl(struct wire *wire)
{
    if (wire->kind == WIRE_TLS_UNREAD && !wire->is_unread && SSL_has_pending(wire->ssl) == 0) {
        errno = 0;
        if (SSL_version(wire->ssl) != TLS1_3_VERSION)
            die("records of TLS 1.3 are expected");
        wire->is_unread = true;
    }
    return wire->is_unread;
}

long wire_discard(struct wire *wire, void *scratch, size_t capacity)
{
    if (leaves_openssl(wire))
        return discard_records(wire, capacity);
    return wire->ssl != NULL ? receive_secured(wire, scratch, capacity)
                             : receive_plain(wire, NULL, capacity, MSG_TRUNC);
}

bool wire_say(struct wire *wire, const void *data, size_t length)
{
    if (wire->ssl == NULL)
        return send(wire->fd, data, length, MSG_NOSIGNAL) == (ssize_t)length;
    size_t written;
    return SSL_write_ex(wire->ssl, data, length, &written) == 1 && written == length;
}
