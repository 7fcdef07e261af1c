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
    SSL_CTX_set_read_ahead(made, 1); /* many records by one call: it is not us who is measured */
    SSL_CTX_set_default_read_buffer_len(made, READ_AHEAD);
    return made;
}

/* The handshake is not what is measured: it is done on the spot. */
static void secure(struct wire *wire)
{
    wire->ssl = SSL_new(context());
    CHECK(wire->ssl != NULL && SSL_set_fd(wire->ssl, wire->fd) == 1);
    errno = 0;
    if (SSL_connect(wire->ssl) != 1)
        die("TLS is refused");
}

void wire_open(struct wire *wire, uint16_t port, bool tls)
{
    *wire = (struct wire){.fd = connect_to(port)};
    if (tls)
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
    return wire->ssl != NULL ? receive_secured(wire, into, capacity)
                             : receive_plain(wire, into, capacity, 0);
}

long wire_discard(struct wire *wire, void *scratch, size_t capacity)
{
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
