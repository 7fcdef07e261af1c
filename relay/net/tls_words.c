/* SPDX-License-Identifier: MIT
 *
 * OpenSSL's reasons are names for those who know OpenSSL. An operator reads these lines at night. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "tls_private.h"

struct words {
    int code;
    const char *text;
};

/* Why a certificate was not accepted; the rest in OpenSSL's own words. */
static const struct words verdicts[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "it has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "it is not valid yet"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "it is for another host"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "it is for another host"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "unknown CA"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown CA"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "unknown CA"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "unknown CA"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "unknown CA (it has signed itself)"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "its signature is not its CA's"},
    {X509_V_ERR_CERT_REVOKED, "it is revoked"},
    {X509_V_ERR_INVALID_PURPOSE, "it is not made for this use (extendedKeyUsage)"},
};

static const struct words reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "what came is not TLS: is it a plain port?"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "what came is not TLS: is it a plain port?"},
    {SSL_R_HTTP_REQUEST, "an HTTP request on the TLS port"},
    {SSL_R_NO_SHARED_CIPHER, "no shared cipher"},
    {SSL_R_NO_CIPHERS_AVAILABLE, "no cipher is left to offer: tls-ciphers and tls-protocols"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "no shared protocol version"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "no shared protocol version"},
    {SSL_R_VERSION_TOO_LOW, "no shared protocol version"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "no client certificate came"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the peer closed the connection"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was changed on its way"},
    /* What the peer says of us. */
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "the peer refuses: no shared cipher, or it wants a certificate"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer refuses: no shared protocol version"},
    {SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, "the peer refuses: no shared cipher"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the peer refuses: it wants a certificate of us"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the peer refuses our certificate: unknown CA"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the peer refuses our certificate: it has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the peer refuses our certificate: it is revoked"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
     "the peer refuses our certificate: it is not made for this use"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer refuses our certificate: not the host's, or bad"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the peer refuses our certificate"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer refuses: it has no certificate for that name"},
};

/* NULL: the table has none. */
static const char *tls_words_look_up(const struct words *table, size_t count, long code)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].code == code)
            return table[i].text;
    }
    return NULL;
}

static void explain_certificate(long verdict, const struct tls_peer *peer,
                                char out[CHANNEL_ERROR_MAX])
{
    const char *text = tls_words_look_up(verdicts, LENGTH_OF(verdicts), verdict);
    bool is_other_host =
        verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
    snprintf(out, CHANNEL_ERROR_MAX, "TLS: the %s's certificate %s is not accepted: %s%s%.100s",
             peer->is_server ? "client" : "server", peer->subject,
             text != NULL ? text : X509_verify_cert_error_string(verdict),
             is_other_host ? " than " : "", is_other_host ? peer->host : "");
}

const char *tls_reason(char out[CHANNEL_ERROR_MAX])
{
    unsigned long code = ERR_peek_last_error();
    const char *text = NULL;
    if (code == 0)
        text = "no reason was given";
    else if (ERR_SYSTEM_ERROR(code))
        text = strerror(ERR_GET_REASON(code));
    else if (ERR_GET_LIB(code) == ERR_LIB_SSL)
        text = tls_words_look_up(reasons, LENGTH_OF(reasons), ERR_GET_REASON(code));
    if (text == NULL)
        text = ERR_reason_error_string(code);
    snprintf(out, CHANNEL_ERROR_MAX, "%s", text != NULL ? text : "no reason was given");
    ERR_clear_error();
    return out;
}

void tls_explain(const SSL *ssl, const struct tls_peer *peer, int error,
                 char out[CHANNEL_ERROR_MAX])
{
    unsigned long code = ERR_peek_last_error();
    char reason[CHANNEL_ERROR_MAX];
    if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
        ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        explain_certificate(SSL_get_verify_result(ssl), peer, out);
        ERR_clear_error();
    } else if (code != 0) {
        snprintf(out, CHANNEL_ERROR_MAX, "TLS: %.300s", tls_reason(reason));
    } else if (error != 0) {
        snprintf(out, CHANNEL_ERROR_MAX, "%s", strerror(error));
    } else {
        snprintf(out, CHANNEL_ERROR_MAX, "the peer closed the connection");
    }
}
