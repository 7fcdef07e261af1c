/* SPDX-License-Identifier: MIT
 *
 * Where the records of a TLS session leave. By itself OpenSSL gives the socket each record of 16 KB in a
 * call of its own; here those of one turn are gathered in a buffer of the thread, and go in one send.
 * What the socket does not take is kept by the session and goes before everything else: as a rule less
 * than a record, since as much is gathered as the socket has room for, and never more than TLS_UNSENT_MAX.
 *
 * Not for the handshake, and not where the kernel makes the records: there OpenSSL has the socket.
 *
 * Thread: whose channel it is. Between two calls of a transport nothing is gathered.
 */
#ifndef RELAY_NET_TLS_OUTLET_H
#define RELAY_NET_TLS_OUTLET_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bounds.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

enum {
    TLS_RECORD_MAX = 16 * 1024, /* bytes of data in a record */
    TLS_RECORD_EXTRA = 512,     /* at most, that TLS adds to them */
    OUTLET_RECORDS_MAX = TLS_UNSENT_MAX / (TLS_RECORD_MAX + TLS_RECORD_EXTRA),
};

/* A member of a session; all zero at first. */
struct tls_outlet {
    int fd;
    uint8_t *owed; /* what the socket did not take, as records; NULL: nothing */
    size_t owed_length;
    size_t owed_sent;
};

/* What OpenSSL writes to; the session's, which frees it. Records are taken while nothing is owed. NULL:
 * out of memory. */
MUST_CHECK BIO *tls_outlet_bio(struct tls_outlet *outlet);

/* How many records make sense before the next push: as many as the socket has room for, one at least,
 * OUTLET_RECORDS_MAX at most. */
unsigned tls_outlet_room(const struct tls_outlet *outlet);

enum tls_outlet_result {
    OUTLET_EMPTY,  /* all has gone */
    OUTLET_OWES,   /* the socket is full: push again when it can be written to */
    OUTLET_BROKEN, /* `error` says why; what was kept is forgotten */
};

/* Sends what is owed, and then what was gathered. */
enum tls_outlet_result tls_outlet_push(struct tls_outlet *outlet, struct error *error);

void tls_outlet_fini(struct tls_outlet *outlet);

#endif
