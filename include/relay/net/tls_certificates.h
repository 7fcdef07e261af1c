/* SPDX-License-Identifier: MIT
 *
 * When the certificates that TLS was given end: those that we show, with their chain, and the CAs that
 * we trust. A row for each file or directory that a setting names, with the certificate that matters:
 *
 *   - of a chain, the one that ends first;
 *   - of CAs, the one that ends first. One that has a successor of the same subject there, which ends
 *     later, does not count. More than TLS_BUNDLE_MIN of them are the CAs of a system, which its
 *     packages keep: then the one that ends last.
 *
 * The system's own CAs, which are trusted where no setting names any, have no row. Plain values; read
 * when a context is made, and then never changed.
 */
#ifndef RELAY_NET_TLS_CERTIFICATES_H
#define RELAY_NET_TLS_CERTIFICATES_H

#include <stddef.h>
#include <stdint.h>

enum {
    TLS_CERTIFICATES_MAX = 12,
    TLS_CERTIFICATE_SUBJECT_MAX = 128,
    TLS_CERTIFICATE_SERIAL_MAX = 48, /* 20 bytes in hexadecimal, as RFC 5280 bounds it */
    TLS_BUNDLE_MIN = 16,
    /* Days that are left, below which it is told of. */
    TLS_EXPIRY_WARNING_DAYS = 30,
    TLS_EXPIRY_PROBLEM_DAYS = 7,
    TLS_DAY_S = 24 * 60 * 60,
};

struct tls_certificate {
    const char *section; /* of the ini: "downstream"; NULL where a context tells */
    const char *setting; /* "tls-cert-file", "tls-ca-cert-file", "tls-ca-cert-dir" */
    size_t count;        /* of certificates there */
    int64_t expires_s;   /* Unix time */
    char subject[TLS_CERTIFICATE_SUBJECT_MAX]; /* printable: "/CN=relay" */
    char serial[TLS_CERTIFICATE_SERIAL_MAX];   /* hexadecimal digits */
};

struct tls_certificates {
    size_t count;
    struct tls_certificate at[TLS_CERTIFICATES_MAX];
};

/* The one that ends first; NULL: there is none. */
const struct tls_certificate *tls_certificates_soonest(const struct tls_certificates *certificates);

/* Seconds until it ends, negative when it has. */
int64_t tls_certificate_left_s(const struct tls_certificate *certificate, int64_t wall_us);

#endif
