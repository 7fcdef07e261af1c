/* SPDX-License-Identifier: MIT */
#include "certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/check.h"

enum { HOUR_S = 3600, DAY_S = 24 * 3600 };

struct issuer {
    EVP_PKEY *key;
    X509 *certificate;
};

static long newest_serial = 1;

static void extend(X509 *certificate, X509 *by, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, by, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    CHECK(extension != NULL);
    CHECK(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *begin(const char *name, EVP_PKEY *key, long from_s, long until_s)
{
    X509 *certificate = X509_new();
    CHECK(certificate != NULL && key != NULL);
    CHECK(X509_set_version(certificate, 2) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), newest_serial++) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), until_s) != NULL);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                     (const unsigned char *)name, -1, -1, 0) == 1);
    return certificate;
}

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    return file;
}

static void write_certificate(X509 *certificate, const char *path)
{
    FILE *file = open_file(path);
    CHECK(PEM_write_X509(file, certificate) == 1);
    CHECK(fclose(file) == 0);
}

struct issuer *issuer_new(const char *name, const char *path)
{
    return issuer_new_for(name, ISSUER_DAYS, path);
}

struct issuer *issuer_new_for(const char *name, int days, const char *path)
{
    struct issuer *issuer = calloc(1, sizeof *issuer);
    CHECK(issuer != NULL);
    issuer->key = EVP_EC_gen("P-256");
    X509 *certificate = issuer->certificate = begin(name, issuer->key, -HOUR_S, (long)days * DAY_S);
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
    extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate, certificate, NID_subject_key_identifier, "hash");
    CHECK(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
    write_certificate(certificate, path);
    return issuer;
}

void issuer_free(struct issuer **issuer)
{
    EVP_PKEY_free((*issuer)->key);
    X509_free((*issuer)->certificate);
    free(*issuer);
    *issuer = NULL;
}

void issuer_issue(const struct issuer *issuer, const char *name, const char *names, int days,
                  const char *certificate_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    bool is_over = days < 0;
    X509 *certificate = begin(name, key, is_over ? (long)days * DAY_S : -HOUR_S,
                              is_over ? -HOUR_S : (long)days * DAY_S);
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1);
    extend(certificate, issuer->certificate, NID_basic_constraints, "CA:FALSE");
    extend(certificate, issuer->certificate, NID_authority_key_identifier, "keyid");
    if (names != NULL)
        extend(certificate, issuer->certificate, NID_subject_alt_name, names);
    CHECK(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
    write_certificate(certificate, certificate_path);
    FILE *file = open_file(key_path);
    CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(fclose(file) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
