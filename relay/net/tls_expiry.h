/* SPDX-License-Identifier: MIT
 *
 * Fills rows of tls_certificates from what OpenSSL has. Thread: the caller's.
 */
#ifndef RELAY_NET_TLS_EXPIRY_H
#define RELAY_NET_TLS_EXPIRY_H

#include <openssl/ssl.h>

#include "relay/net/tls_certificates.h"

/* A row for the certificate that `ssl` has, with its chain. */
void tls_expiry_add_own(struct tls_certificates *out, SSL_CTX *ssl);

/* A row for the CAs that `ssl` trusts by now: before a directory is named, and before it is used. */
void tls_expiry_add_ca_file(struct tls_certificates *out, const SSL_CTX *ssl);

/* A row for those in a directory with OpenSSL's hashed names. */
void tls_expiry_add_ca_dir(struct tls_certificates *out, const char *path);

#endif
