/* SPDX-License-Identifier: MIT
 *
 * Certificates of every kind in a folder of the test's own, and contexts made of them.
 */
#ifndef TESTS_UNIT_NET_TLS_FILES_H
#define TESTS_UNIT_NET_TLS_FILES_H

#include <unistd.h>

#include "certificates.h"
#include "relay/base/check.h"
#include "relay/net/tls.h"
#include "test.h"

enum { PATH_LENGTH = 96 };

static char folder[] = "/tmp/psync-relay-tls-XXXXXX";

/* A file in the folder. The last few answers stay valid. */
static inline const char *at(const char *name)
{
    static char paths[16][PATH_LENGTH];
    static unsigned next;
    char *path = paths[next++ % LENGTH_OF(paths)];
    snprintf(path, PATH_LENGTH, "%s/%s", folder, name);
    return path;
}

static const char *const made_files[] = {
    "ca.crt",
    "other-ca.crt",
    "server.crt",
    "server.key",
    "elsewhere.crt",
    "elsewhere.key",
    "expired.crt",
    "expired.key",
    "foreign.crt",
    "foreign.key",
    "client.crt",
    "client.key",
    "old.crt",
    "old.key",
    "unauthenticated client.crt",
    "unauthenticated client.key",
    "garbage.crt",
};

static inline int make_certificates(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    struct issuer *ca = issuer_new("Test CA", at("ca.crt"));
    struct issuer *other = issuer_new("Other CA", at("other-ca.crt"));
    const char *here = "DNS:relay.test,IP:127.0.0.1";
    issuer_issue(ca, "relay.test", here, 10, at("server.crt"), at("server.key"));
    issuer_issue(ca, "elsewhere.test", "DNS:elsewhere.test", 10, at("elsewhere.crt"),
                 at("elsewhere.key"));
    issuer_issue(ca, "expired.test", here, -10, at("expired.crt"), at("expired.key"));
    issuer_issue(other, "foreign.test", here, 10, at("foreign.crt"), at("foreign.key"));
    issuer_issue(ca, "client.test", NULL, 10, at("client.crt"), at("client.key"));
    issuer_issue(ca, "old.test", NULL, -10, at("old.crt"), at("old.key"));
    issuer_issue(other, "unauthenticated client.test", NULL, 10, at("unauthenticated client.crt"),
                 at("unauthenticated client.key"));
    FILE *garbage = fopen(at("garbage.crt"), "w");
    assert_non_null(garbage);
    fputs("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n", garbage);
    fclose(garbage);
    issuer_free(&ca);
    issuer_free(&other);
    return 0;
}

static inline int remove_certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(made_files); i++)
        unlink(at(made_files[i]));
    return rmdir(folder);
}

/* ---- contexts ---- */

static inline struct tls_context *context_of(enum tls_side side, const struct tls_options *options)
{
    struct text why;
    text_init(&why, 1000);
    struct tls_context *context = tls_context_new(side, options, &why);
    if (context == NULL)
        fail_msg("%s", text_string(&why));
    text_fini(&why);
    return context;
}

/* What is right, for tests that change one thing of it. */
static inline struct tls_options server_options(void)
{
    return (struct tls_options){
        .cert_file = at("server.crt"),
        .key_file = at("server.key"),
        .ca_file = at("ca.crt"),
        .auth_clients = TLS_AUTH_YES,
    };
}

static inline struct tls_options client_options(void)
{
    return (struct tls_options){
        .cert_file = at("client.crt"),
        .key_file = at("client.key"),
        .ca_file = at("ca.crt"),
    };
}

#endif
