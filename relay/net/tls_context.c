/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tls_expiry.h"
#include "tls_private.h"

/* How many sessions of TLS 1.2 clients without tickets a server keeps: anybody can make one. */
enum { SESSIONS_MAX = 1024 };

enum { READ_AHEAD = 128 * 1024 };

/* The last session that a server has given to us. Whoever takes it out owns it. */
struct memento {
    SSL_SESSION *session;
    char host[ADDRESS_HOST_MAX];
};

struct tls_context {
    atomic_uint references;
    atomic_uint resumed;
    enum tls_side side;
    SSL_CTX *ssl;
    char *server_name; /* NULL: the host's */
    struct tls_certificates certificates;
    _Atomic(struct memento *) memento;
};

/* ---- sessions ---- */

static void free_memento(struct memento *memento)
{
    if (memento == NULL)
        return;
    SSL_SESSION_free(memento->session);
    free(memento);
}

/* Called from within SSL_read and SSL_do_handshake. 1: the session is ours now. A context is
 * used by several threads: an exchange gives the one before to exactly one of them, who frees
 * it. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_peer *peer = SSL_get_app_data(ssl);
    struct memento *memento = calloc(1, sizeof *memento);
    if (memento == NULL)
        return 0;
    memento->session = session;
    snprintf(memento->host, sizeof memento->host, "%s", peer->host);
    free_memento(atomic_exchange(&peer->context->memento, memento));
    return 1;
}

/* A resumed session is not verified anew, so it must be that of the same host. */
static void offer_session(struct tls_context *context, SSL *ssl, const char *host)
{
    struct memento *memento = atomic_exchange(&context->memento, NULL);
    if (memento == NULL)
        return;
    struct memento *none = NULL;
    if (strcmp(memento->host, host) != 0 || SSL_set_session(ssl, memento->session) != 1 ||
        !atomic_compare_exchange_strong(&context->memento, &none, memento))
        free_memento(memento);
    ERR_clear_error();
}

/* ---- certificates of peers ---- */

/* Leaves the verdict as it is, and keeps in mind whom it is about. */
static int on_verified(int is_good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_peer *peer = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (!is_good && certificate != NULL)
        X509_NAME_oneline(X509_get_subject_name(certificate), peer->subject,
                          (int)sizeof peer->subject);
    return is_good;
}

/* A numeric address is looked for among the addresses in the certificate, and not told to the
 * server, since SNI has names only (RFC 6066). `host` is not const, since OpenSSL's macro casts
 * it. */
static bool expect_host(SSL *ssl, char *host)
{
    struct address address;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (address_parse(host, 0, &address))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* ---- what a connection gets ---- */

SSL *tls_context_begin(struct tls_context *context, struct tls_peer *peer, const char *host)
{
    CHECK((host == NULL) == (context->side == TLS_SERVER));
    SSL *ssl = SSL_new(context->ssl);
    if (ssl == NULL)
        return NULL;
    /* Relaxed: who calls has a hold of it already. */
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    peer->context = context;
    peer->is_server = context->side == TLS_SERVER;
    SSL_set_app_data(ssl, peer);
    if (peer->is_server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    const char *expected = context->server_name != NULL ? context->server_name : host;
    snprintf(peer->host, sizeof peer->host, "%s", expected);
    SSL_set_connect_state(ssl);
    if (!expect_host(ssl, peer->host)) {
        SSL_free(ssl);
        tls_context_release(&peer->context);
        ERR_clear_error();
        return NULL;
    }
    offer_session(context, ssl, expected);
    return ssl;
}

void tls_context_note(struct tls_context *context, const SSL *ssl)
{
    if (SSL_session_reused(ssl))
        atomic_fetch_add_explicit(&context->resumed, 1, memory_order_relaxed);
}

unsigned tls_context_resumed(const struct tls_context *context)
{
    return atomic_load_explicit(&context->resumed, memory_order_relaxed);
}

/* ---- making one from its options ---- */

static bool tls_context_refuse(struct text *why, const char *key, const char *value)
{
    char reason[CHANNEL_ERROR_MAX];
    text_format(why, "%s %s: %s", key, value, tls_reason(reason));
    return false;
}

/* A key that needs a passphrase is refused: nobody is there to be asked for it. */
static int no_passphrase(char *out, int capacity, int writing, void *arg)
{
    (void)out;
    (void)capacity;
    (void)writing;
    (void)arg;
    return -1;
}

/* OpenSSL says of a missing file only that it has no reason. */
static bool is_readable(struct text *why, const char *key, const char *path)
{
    if (access(path, R_OK) == 0)
        return true;
    text_format(why, "%s %s: %s", key, path, strerror(errno));
    return false;
}

static bool take_certificate(struct tls_context *context, const struct tls_options *options,
                             struct text *why)
{
    if (string_is_given(options->cert_file) != string_is_given(options->key_file)) {
        text_append_string(why, string_is_given(options->cert_file)
                                    ? "tls-cert-file needs a tls-key-file, too"
                                    : "tls-key-file needs a tls-cert-file, too");
        return false;
    }
    if (!string_is_given(options->cert_file)) {
        if (context->side == TLS_SERVER)
            text_append_string(why, "a TLS port needs tls-cert-file and tls-key-file");
        return context->side == TLS_CLIENT;
    }
    if (!is_readable(why, "tls-cert-file", options->cert_file) ||
        !is_readable(why, "tls-key-file", options->key_file))
        return false;
    if (SSL_CTX_use_certificate_chain_file(context->ssl, options->cert_file) != 1)
        return tls_context_refuse(why, "tls-cert-file", options->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context->ssl, options->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context->ssl) != 1)
        return tls_context_refuse(why, "tls-key-file", options->key_file);
    tls_expiry_add_own(&context->certificates, context->ssl);
    return true;
}

static bool take_cas(struct tls_context *context, const struct tls_options *options,
                     struct text *why)
{
    bool is_server = context->side == TLS_SERVER;
    bool has_any = string_is_given(options->ca_file) || string_is_given(options->ca_dir);
    if (is_server && options->auth_clients != TLS_AUTH_NO && !has_any) {
        text_append_string(why, "to check clients' certificates needs tls-ca-cert-file or "
                                "tls-ca-cert-dir; else say tls-auth-clients = no");
        return false;
    }
    if (string_is_given(options->ca_file)) {
        if (!is_readable(why, "tls-ca-cert-file", options->ca_file))
            return false;
        if (SSL_CTX_load_verify_file(context->ssl, options->ca_file) != 1)
            return tls_context_refuse(why, "tls-ca-cert-file", options->ca_file);
        tls_expiry_add_ca_file(&context->certificates, context->ssl);
        if (is_server) /* tells a client that has several which of them to show */
            SSL_CTX_set_client_CA_list(context->ssl, SSL_load_client_CA_file(options->ca_file));
    }
    if (string_is_given(options->ca_dir)) {
        if (!is_readable(why, "tls-ca-cert-dir", options->ca_dir))
            return false;
        if (SSL_CTX_load_verify_dir(context->ssl, options->ca_dir) != 1)
            return tls_context_refuse(why, "tls-ca-cert-dir", options->ca_dir);
        tls_expiry_add_ca_dir(&context->certificates, options->ca_dir);
    }
    if (!is_server && !has_any && SSL_CTX_set_default_verify_paths(context->ssl) != 1)
        return tls_context_refuse(why, "the CAs of", "the system");
    return true;
}

static bool take_protocols(struct tls_context *context, const char *protocols, struct text *why)
{
    static const struct {
        const char *name;
        int version;
    } known[] = {{"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.3", TLS1_3_VERSION}};
    bool named[LENGTH_OF(known)] = {false};
    const char *rest = string_is_given(protocols) ? protocols : "TLSv1.2 TLSv1.3";
    size_t length;
    for (rest += strspn(rest, " "); *rest != '\0'; rest += length, rest += strspn(rest, " ")) {
        length = strcspn(rest, " ");
        size_t i = 0;
        while (i < LENGTH_OF(known) &&
               (strlen(known[i].name) != length || strncasecmp(known[i].name, rest, length) != 0))
            i++;
        if (i == LENGTH_OF(known)) {
            text_format(why, "tls-protocols %s: there are TLSv1.2 and TLSv1.3", protocols);
            return false;
        }
        named[i] = true;
    }
    if (!named[0] && !named[1]) {
        text_append_string(why, "tls-protocols: there are TLSv1.2 and TLSv1.3");
        return false;
    }
    return SSL_CTX_set_min_proto_version(context->ssl, known[named[0] ? 0 : 1].version) == 1 &&
           SSL_CTX_set_max_proto_version(context->ssl, known[named[1] ? 1 : 0].version) == 1;
}

static bool take_ciphers(struct tls_context *context, const struct tls_options *options,
                         struct text *why)
{
    if (string_is_given(options->ciphers) &&
        SSL_CTX_set_cipher_list(context->ssl, options->ciphers) != 1)
        return tls_context_refuse(why, "tls-ciphers", options->ciphers);
    if (string_is_given(options->ciphersuites) &&
        SSL_CTX_set_ciphersuites(context->ssl, options->ciphersuites) != 1)
        return tls_context_refuse(why, "tls-ciphersuites", options->ciphersuites);
    return true;
}

static int verify_mode(const struct tls_context *context, const struct tls_options *options)
{
    static const int modes[] = {
        [TLS_AUTH_NO] = SSL_VERIFY_NONE,
        [TLS_AUTH_YES] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [TLS_AUTH_OPTIONAL] = SSL_VERIFY_PEER,
    };
    CHECK((size_t)options->auth_clients < LENGTH_OF(modes));
    return context->side == TLS_SERVER ? modes[options->auth_clients] : SSL_VERIFY_PEER;
}

static void set_modes(struct tls_context *context, const struct tls_options *options)
{
    static const unsigned char whose[] = "psync-relay";
    SSL_CTX *ssl = context->ssl;
    /* An end without close_notify is an end: what the stream and the RDB lack, their own framing
     * tells. */
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* What is sent lies in a mapping that may be another at the next call. Buffers are released
     * between records: most of thousands of connections are idle. */
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    SSL_CTX_set_verify(ssl, verify_mode(context, options), on_verified);
    if (context->side == TLS_CLIENT) {
        /* A server sends us gigabytes: many records by one call. Clients send us commands. Not with kTLS:
         * OpenSSL counts what the kernel has decrypted in 16 bits. */
        SSL_CTX_set_read_ahead(ssl, 1);
        SSL_CTX_set_default_read_buffer_len(ssl, READ_AHEAD);
        SSL_CTX_set_session_cache_mode(ssl,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(ssl, keep_session);
        return;
    }
    SSL_CTX_set_options(ssl, SSL_OP_ENABLE_KTLS);
    (void)SSL_CTX_set_dh_auto(ssl, 1);
    SSL_CTX_sess_set_cache_size(ssl, SESSIONS_MAX);
    CHECK(SSL_CTX_set_session_id_context(ssl, whose, sizeof whose - 1) == 1);
}

static bool take_options(struct tls_context *context, const struct tls_options *options,
                         struct text *why)
{
    set_modes(context, options);
    return take_certificate(context, options, why) && take_cas(context, options, why) &&
           take_protocols(context, options->protocols, why) && take_ciphers(context, options, why);
}

struct tls_context *tls_context_new(enum tls_side side, const struct tls_options *options,
                                    struct text *why)
{
    ERR_clear_error();
    struct tls_context *context = calloc(1, sizeof *context);
    if (context != NULL) {
        atomic_init(&context->references, 1);
        context->side = side;
        context->ssl = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
        if (string_is_given(options->server_name))
            context->server_name = strdup(options->server_name);
    }
    if (context == NULL || context->ssl == NULL ||
        (string_is_given(options->server_name) && context->server_name == NULL))
        text_append_string(why, "out of memory");
    else if (take_options(context, options, why))
        return context;
    tls_context_release(&context);
    ERR_clear_error();
    return NULL;
}

void tls_context_release(struct tls_context **where)
{
    struct tls_context *context = *where;
    /* Release: what was done with it is done before the count falls. Acquire: the last one sees
     * that of all others. */
    *where = NULL;
    if (context == NULL ||
        atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) > 1)
        return;
    free_memento(atomic_load(&context->memento));
    SSL_CTX_free(context->ssl);
    free(context->server_name);
    free(context);
}

const struct tls_certificates *tls_context_certificates(const struct tls_context *context)
{
    return &context->certificates;
}

void tls_context_describe(const struct tls_context *context, struct text *out)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context->ssl);
    if (certificate == NULL) {
        text_append_string(out, "no certificate");
        return;
    }
    char subject[TLS_SUBJECT_MAX];
    char until[64] = "?";
    X509_NAME_oneline(X509_get_subject_name(certificate), subject, (int)sizeof subject);
    BIO *memory = BIO_new(BIO_s_mem());
    if (memory != NULL && ASN1_TIME_print(memory, X509_get0_notAfter(certificate)) == 1) {
        int length = BIO_read(memory, until, sizeof until - 1);
        until[length > 0 ? length : 0] = '\0';
    }
    BIO_free(memory);
    bool has_expired = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
    text_format(out, "certificate %s %s %s", subject,
                has_expired ? "which has EXPIRED on" : "valid until", until);
}
