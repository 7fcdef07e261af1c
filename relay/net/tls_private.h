/* SPDX-License-Identifier: MIT
 *
 * TLS between the files of this component: what a connection gets of its context, and OpenSSL's reasons in
 * words.
 */
#ifndef RELAY_NET_TLS_PRIVATE_H
#define RELAY_NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "address.h"
#include "channel.h"
#include "relay/base/check.h"
#include "relay/net/tls.h"

enum { TLS_SUBJECT_MAX = 128 };

/* Who is at the other end; the SSL's app data. */
struct tls_peer {
    struct tls_context *context;   /* counted */
    bool is_server;                /* we are */
    char host[ADDRESS_HOST_MAX];   /* a client's: whom it expects */
    char subject[TLS_SUBJECT_MAX]; /* of a certificate that was not accepted */
};

/* An SSL that knows whom to expect, with the session to resume. NULL: out of memory. */
MUST_CHECK SSL *tls_context_begin(struct tls_context *context, struct tls_peer *peer,
                                  const char *host);

/* The handshake is done. */
void tls_context_note(struct tls_context *context, const SSL *ssl);

/* What the last call has failed of, from OpenSSL's queue, which is empty afterwards, or from `error`
 * (an errno) where it says nothing. */
void tls_explain(const SSL *ssl, const struct tls_peer *peer, int error,
                 char out[CHANNEL_ERROR_MAX]);

/* The newest reason in OpenSSL's queue, which is empty afterwards. */
const char *tls_reason(char out[CHANNEL_ERROR_MAX]);

#endif
