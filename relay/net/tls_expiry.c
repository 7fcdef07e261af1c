/* SPDX-License-Identifier: MIT */
#include "tls_expiry.h"

#include <ctype.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "relay/base/check.h"

enum { DIRECTORY_MAX = 1024, HASH_DIGITS = 8 };

/* ---- one certificate ---- */

/* RFC 5280 has no certificate without an end; one that cannot be read ends never. */
static int64_t end_of(const X509 *certificate)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
        return INT64_MAX;
    return (int64_t)timegm(&tm);
}

static void write_serial(const X509 *certificate, char out[TLS_CERTIFICATE_SERIAL_MAX])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    const unsigned char *bytes = ASN1_STRING_get0_data(serial);
    int length = ASN1_STRING_length(serial);
    out[0] = '\0';
    for (int i = 0; i < length && 2 * i + 2 < TLS_CERTIFICATE_SERIAL_MAX; i++)
        snprintf(out + (size_t)(2 * i), 3, "%02X", (unsigned)bytes[i]);
}

static void add_row(struct tls_certificates *out, const char *setting, const X509 *certificate,
                    size_t count)
{
    CHECK(out->count < LENGTH_OF(out->at));
    struct tls_certificate *row = &out->at[out->count++];
    *row = (struct tls_certificate){
        .setting = setting, .count = count, .expires_s = end_of(certificate)};
    /* It shows what is not printable as \xHH. */
    X509_NAME_oneline(X509_get_subject_name(certificate), row->subject, (int)sizeof row->subject);
    write_serial(certificate, row->serial);
}

/* ---- our own ---- */

void tls_expiry_add_own(struct tls_certificates *out, SSL_CTX *ssl)
{
    const X509 *first = SSL_CTX_get0_certificate(ssl);
    STACK_OF(X509) *chain = NULL;
    if (first == NULL)
        return;
    (void)SSL_CTX_get0_chain_certs(ssl, &chain);
    int length = chain != NULL ? sk_X509_num(chain) : 0;
    for (int i = 0; i < length; i++) {
        const X509 *one = sk_X509_value(chain, i);
        if (end_of(one) < end_of(first))
            first = one;
    }
    add_row(out, "tls-cert-file", first, (size_t)length + 1);
}

/* ---- CAs ---- */

/* A CA that was renewed stays in the file until all have its new certificate: it is no reason to
 * warn. */
static bool has_successor(STACK_OF(X509) * cas, const X509 *ca)
{
    for (int i = 0; i < sk_X509_num(cas); i++) {
        const X509 *other = sk_X509_value(cas, i);
        if (end_of(other) > end_of(ca) &&
            X509_NAME_cmp(X509_get_subject_name(other), X509_get_subject_name(ca)) == 0)
            return true;
    }
    return false;
}

/* Of a bundle as systems have it, in which something always expires soon, the one that lasts
 * longest; of our own few the one that expires first. */
static void add_cas(struct tls_certificates *out, const char *setting, STACK_OF(X509) * cas)
{
    const X509 *chosen = NULL;
    bool is_bundle = sk_X509_num(cas) > TLS_BUNDLE_MIN;
    for (int i = 0; i < sk_X509_num(cas); i++) {
        const X509 *ca = sk_X509_value(cas, i);
        if (chosen == NULL ? is_bundle || !has_successor(cas, ca)
            : is_bundle    ? end_of(ca) > end_of(chosen)
                           : end_of(ca) < end_of(chosen) && !has_successor(cas, ca))
            chosen = ca;
    }
    if (chosen != NULL)
        add_row(out, setting, chosen, (size_t)sk_X509_num(cas));
}

void tls_expiry_add_ca_file(struct tls_certificates *out, const SSL_CTX *ssl)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl));
    STACK_OF(X509) *cas = sk_X509_new_null();
    if (cas == NULL)
        return;
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (ca != NULL) /* else a list of what was revoked */
            (void)sk_X509_push(cas, ca);
    }
    add_cas(out, "tls-ca-cert-file", cas);
    sk_X509_free(cas);
}

/* "9d66eef0.0" */
static bool is_hashed_name(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");
    const char *rest = name + digits;
    return digits == HASH_DIGITS && rest[0] == '.' && isdigit((unsigned char)rest[1]) &&
           rest[1 + strspn(rest + 1, "0123456789")] == '\0';
}

static void read_file(const char *directory, const char *name, STACK_OF(X509) * cas)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    if (file == NULL)
        return;
    X509 *ca;
    while (sk_X509_num(cas) < DIRECTORY_MAX &&
           (ca = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_push(cas, ca) <= 0)
            X509_free(ca);
    }
    fclose(file);
    ERR_clear_error(); /* of the end of the file */
}

void tls_expiry_add_ca_dir(struct tls_certificates *out, const char *path)
{
    DIR *directory = opendir(path);
    STACK_OF(X509) *cas = sk_X509_new_null();
    const struct dirent *entry;
    while (directory != NULL && cas != NULL && sk_X509_num(cas) < DIRECTORY_MAX &&
           (entry = readdir(directory)) != NULL) {
        if (is_hashed_name(entry->d_name))
            read_file(path, entry->d_name, cas);
    }
    if (cas != NULL)
        add_cas(out, "tls-ca-cert-dir", cas);
    sk_X509_pop_free(cas, X509_free);
    if (directory != NULL)
        closedir(directory);
}

/* ---- what is asked of the rows ---- */

const struct tls_certificate *tls_certificates_soonest(const struct tls_certificates *certificates)
{
    const struct tls_certificate *soonest = NULL;
    for (size_t i = 0; i < certificates->count; i++) {
        if (soonest == NULL || certificates->at[i].expires_s < soonest->expires_s)
            soonest = &certificates->at[i];
    }
    return soonest;
}

int64_t tls_certificate_left_s(const struct tls_certificate *certificate, int64_t wall_us)
{
    return certificate->expires_s - wall_us / 1000000;
}
