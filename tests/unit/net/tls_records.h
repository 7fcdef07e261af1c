/* SPDX-License-Identifier: MIT
 *
 * Records of TLS 1.3 that OpenSSL would not make: half a message, say. RFC 8446, 5.2 and 7.1, for the one cipher
 * suite TLS_AES_128_GCM_SHA256; in place of the client, once its handshake is done.
 */
#ifndef TESTS_UNIT_NET_TLS_RECORDS_H
#define TESTS_UNIT_NET_TLS_RECORDS_H

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "sockets.h"

#define RECORDS_SUITE "TLS_AES_128_GCM_SHA256"

enum {
    RECORD_SECRET = 32,
    RECORD_KEY = 16,
    RECORD_IV = 12,
    RECORD_TAG = 16,
    RECORD_DATA_MAX = 256
};

struct records {
    uint64_t made;
    uint8_t
        bytes[2 * (RECORD_DATA_MAX + 64)]; /* that are due: what leaves together comes together */
    size_t length;
};

static uint8_t records_secret[RECORD_SECRET]; /* OpenSSL's callback has no argument of ours */

/* As a context's keylog callback. */
static inline void records_learn(const SSL *ssl, const char *line)
{
    static const char wanted[] = "CLIENT_TRAFFIC_SECRET_0 ";
    (void)ssl;
    if (strncmp(line, wanted, sizeof wanted - 1) != 0)
        return;
    const char *digits = strrchr(line, ' ') + 1;
    for (size_t i = 0; i < RECORD_SECRET; i++)
        assert_int_equal(sscanf(digits + 2 * i, "%2hhx", &records_secret[i]), 1);
}

/* HKDF-Expand-Label of one block, without a context. */
static inline void records_derive(const char *label, uint8_t *out, size_t length)
{
    uint8_t info[64];
    uint8_t block[EVP_MAX_MD_SIZE];
    int count = snprintf((char *)info, sizeof info, "%c%c%ctls13 %s%c%c", 0, (int)length,
                         (int)(6 + strlen(label)), label, 0, 1);
    assert_non_null(
        HMAC(EVP_sha256(), records_secret, RECORD_SECRET, info, (size_t)count, block, NULL));
    memcpy(out, block, length);
}

static inline void records_add(struct records *records, uint8_t type, const char *data,
                               size_t length)
{
    uint8_t key[RECORD_KEY];
    uint8_t iv[RECORD_IV];
    uint8_t plain[RECORD_DATA_MAX + 1];
    uint8_t record[5 + sizeof plain + RECORD_TAG] = {SSL3_RT_APPLICATION_DATA, 3, 3};
    int count;
    assert_true(length <= RECORD_DATA_MAX);
    memcpy(plain, data, length);
    plain[length] = type;
    record[3] = (uint8_t)((length + 1 + RECORD_TAG) >> 8);
    record[4] = (uint8_t)(length + 1 + RECORD_TAG);
    records_derive("key", key, sizeof key);
    records_derive("iv", iv, sizeof iv);
    for (int i = 0; i < 8; i++)
        iv[RECORD_IV - 1 - i] ^= (uint8_t)(records->made >> (8 * i));
    records->made++;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, key, iv), 1);
    assert_int_equal(EVP_EncryptUpdate(cipher, NULL, &count, record, 5), 1);
    assert_int_equal(EVP_EncryptUpdate(cipher, record + 5, &count, plain, (int)length + 1), 1);
    assert_int_equal(EVP_EncryptFinal_ex(cipher, record + 5 + count, &count), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, RECORD_TAG, record + 5 + length + 1), 1);
    EVP_CIPHER_CTX_free(cipher);
    size_t whole = 5 + length + 1 + RECORD_TAG;
    assert_true(whole <= sizeof records->bytes - records->length);
    memcpy(records->bytes + records->length, record, whole);
    records->length += whole;
}

static inline void records_send(struct records *records, int fd)
{
    send_whole(fd, records->bytes, records->length);
    records->length = 0;
}

#endif
