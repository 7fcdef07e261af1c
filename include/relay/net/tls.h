/* SPDX-License-Identifier: MIT
 *
 * What one side of our TLS connections has in common: certificate, key, the CAs that are trusted, the
 * protocols and ciphers, and who must show a certificate. TLS 1.2 and 1.3. A context never changes. To
 * take over new files one makes a new context and gives it to the connections that come; those that
 * are there keep the one they have.
 *
 *     struct tls_context *context = tls_context_new(TLS_SERVER, &options, &why);
 *     conn_accept(loop, fd, &(struct conn_options){.tls = context}, fn, arg);
 *     tls_context_release(&context);
 *
 * A client's context keeps the last session that its server has given, and offers it at the next
 * connection to the same host. Without a CA file or directory a client trusts the system's.
 *
 * Owner: counted. Any thread.
 */
#ifndef RELAY_NET_TLS_H
#define RELAY_NET_TLS_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

struct tls_certificates;
struct tls_context;

enum tls_side { TLS_CLIENT, TLS_SERVER };

/* Does a server want its clients' certificates? */
enum tls_auth_clients { TLS_AUTH_NO, TLS_AUTH_YES, TLS_AUTH_OPTIONAL };

/* NULL and "" say the same: not set. */
struct tls_options {
    const char *cert_file; /* a chain in PEM; a server must have one, a client may */
    const char *key_file;  /* goes with cert_file */
    const char *ca_file;
    const char *ca_dir;       /* of hashed names: openssl rehash */
    const char *protocols;    /* "TLSv1.2 TLSv1.3"; not set: both */
    const char *ciphers;      /* of TLS 1.2, in OpenSSL's words; not set: OpenSSL's choice */
    const char *ciphersuites; /* of TLS 1.3 */
    const char *server_name;  /* a client's: whom it expects, where that is not the host's name */
    enum tls_auth_clients auth_clients; /* a server's */
};

/* Reads the files. NULL: something does not fit, `why` says what. */
MUST_CHECK struct tls_context *tls_context_new(enum tls_side side,
                                               const struct tls_options *options, struct text *why);

/* NULL is let through. Each connection that was begun with it holds it as well, until it is closed. */
void tls_context_release(struct tls_context **context);

/* For the log: "certificate /CN=relay valid until Jan 1 00:00:00 2027 GMT", "no certificate". */
void tls_context_describe(const struct tls_context *context, struct text *out);

/* When what it was made of ends; as long as the context lives. */
const struct tls_certificates *tls_context_certificates(const struct tls_context *context);

/* Connections of this context that went on with a session of an earlier one. */
unsigned tls_context_resumed(const struct tls_context *context);

/* Does a connection whose peer's first bytes are these speak TLS? Two bytes tell: a handshake, of
 * version 3. */
static inline bool tls_is_hello(struct bytes first)
{
    return first.length >= 2 && first.data[0] == 0x16 && first.data[1] == 0x03;
}

#endif
