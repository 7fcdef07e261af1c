/* SPDX-License-Identifier: MIT */
#include "relay/net/tls.h"

#include <sys/stat.h>

#include "relay/base/clock.h"
#include "relay/net/tls_certificates.h"

#include "tls_stage.h"

/* ---- what does not fit is refused with the reason ---- */

static void assert_refused(enum tls_side side, const struct tls_options *options,
                           const char *reason)
{
    struct text why;
    text_init(&why, 1000);
    assert_null(tls_context_new(side, options, &why));
    if (strstr(text_string(&why), reason) == NULL)
        fail_msg("got \"%s\", expected \"%s\"", text_string(&why), reason);
    text_fini(&why);
}

TEST(files_that_do_not_fit_are_refused_by_name)
{
    struct tls_options options = server_options();
    options.cert_file = at("nowhere.crt");
    assert_refused(TLS_SERVER, &options, "nowhere.crt: No such file or directory");
    options.cert_file = at("garbage.crt");
    assert_refused(TLS_SERVER, &options, "tls-cert-file");
    options = server_options();
    options.key_file = at("client.key");
    assert_refused(TLS_SERVER, &options, "client.key: key values mismatch");
    options.key_file = at("ca.crt");
    assert_refused(TLS_SERVER, &options, "tls-key-file");
    options = client_options();
    options.ca_file = at("garbage.crt");
    assert_refused(TLS_CLIENT, &options, "tls-ca-cert-file");
    options.ca_file = NULL;
    options.ca_dir = at("nowhere");
    assert_refused(TLS_CLIENT, &options, "nowhere: No such file or directory");
}

TEST(what_belongs_together_is_wanted_together)
{
    struct tls_options options = server_options();
    options.key_file = "";
    assert_refused(TLS_SERVER, &options, "tls-cert-file needs a tls-key-file, too");
    options.cert_file = "";
    assert_refused(TLS_SERVER, &options, "a TLS port needs tls-cert-file and tls-key-file");
    options = server_options();
    options.ca_file = NULL;
    assert_refused(TLS_SERVER, &options, "else say tls-auth-clients = no");
    options.auth_clients = TLS_AUTH_OPTIONAL;
    assert_refused(TLS_SERVER, &options, "else say tls-auth-clients = no");
    options = client_options();
    options.cert_file = NULL;
    assert_refused(TLS_CLIENT, &options, "tls-key-file needs a tls-cert-file, too");
}

TEST(protocols_and_ciphers_that_there_are_not_are_refused)
{
    struct tls_options options = client_options();
    options.protocols = "TLSv1.3 TLSv1.1";
    assert_refused(TLS_CLIENT, &options, "TLSv1.3 TLSv1.1: there are TLSv1.2 and TLSv1.3");
    options.protocols = " ";
    assert_refused(TLS_CLIENT, &options, "there are TLSv1.2 and TLSv1.3");
    options = client_options();
    options.ciphers = "NO-SUCH-CIPHER";
    assert_refused(TLS_CLIENT, &options, "tls-ciphers NO-SUCH-CIPHER: no cipher match");
    options = client_options();
    options.ciphersuites = "NO_SUCH_SUITE";
    assert_refused(TLS_CLIENT, &options, "tls-ciphersuites NO_SUCH_SUITE: no cipher match");
}

/* ---- when they end ---- */

static void concatenate(const char *to, const char *first, const char *second)
{
    const char *const parts[] = {first, second};
    FILE *out = fopen(to, "w");
    assert_non_null(out);
    for (size_t i = 0; i < LENGTH_OF(parts); i++) {
        FILE *in = fopen(parts[i], "r");
        assert_non_null(in);
        for (int c; (c = fgetc(in)) != EOF;)
            fputc(c, out);
        fclose(in);
    }
    fclose(out);
}

static int64_t days_left(const struct tls_certificate *one)
{
    return (tls_certificate_left_s(one, clock_wall_us()) + 3600) / TLS_DAY_S;
}

static void expect_row(const struct tls_certificate *row, const char *setting, const char *subject,
                       size_t count, int64_t days)
{
    assert_string_equal(row->setting, setting);
    assert_string_equal(row->subject, subject);
    assert_int_equal(row->count, count);
    assert_int_equal(days_left(row), days);
    assert_true(row->serial[0] != '\0');
}

/* Of a chain the one that ends first, of CAs the one that ends first and has no successor. */
TEST(a_context_says_when_its_certificates_end)
{
    struct tls_options options = server_options();
    options.cert_file = at("chain.crt");
    options.ca_file = at("cas.crt");
    concatenate(at("chain.crt"), at("server.crt"), at("expired.crt"));
    struct issuer *long_ca = issuer_new_for("Other CA", 300, at("long-ca.crt"));
    concatenate(at("cas.crt"), at("other-ca.crt"), at("long-ca.crt"));
    struct tls_context *context = context_of(TLS_SERVER, &options);
    const struct tls_certificates *rows = tls_context_certificates(context);
    assert_int_equal(rows->count, 2);
    expect_row(&rows->at[0], "tls-cert-file", "/CN=expired.test", 2, 0);
    expect_row(&rows->at[1], "tls-ca-cert-file", "/CN=Other CA", 2, 300);
    assert_ptr_equal(tls_certificates_soonest(rows), &rows->at[0]);
    tls_context_release(&context);

    concatenate(at("cas.crt"), at("ca.crt"), at("long-ca.crt"));
    context = context_of(TLS_SERVER, &options);
    expect_row(&tls_context_certificates(context)->at[1], "tls-ca-cert-file", "/CN=Test CA", 2,
               ISSUER_DAYS);
    tls_context_release(&context);
    issuer_free(&long_ca);
    unlink(at("chain.crt"));
    unlink(at("cas.crt"));
    unlink(at("long-ca.crt"));
}

TEST(a_directory_of_cas_is_looked_through)
{
    struct tls_options options = client_options();
    struct text why;
    options.ca_file = NULL;
    options.ca_dir = at("cas");
    assert_int_equal(mkdir(at("cas"), 0700), 0);
    concatenate(at("cas/01234567.0"), at("ca.crt"), at("other-ca.crt"));
    concatenate(at("cas/README"), at("expired.crt"), at("expired.crt"));
    concatenate(at("cas/89abcdef.0"), at("garbage.crt"), at("garbage.crt"));
    text_init(&why, 1000);
    struct tls_context *context = tls_context_new(TLS_CLIENT, &options, &why);
    assert_non_null(context);
    const struct tls_certificates *rows = tls_context_certificates(context);
    assert_int_equal(rows->count, 2);
    expect_row(&rows->at[1], "tls-ca-cert-dir", rows->at[1].subject, 2, ISSUER_DAYS);
    tls_context_release(&context);
    text_fini(&why);
    unlink(at("cas/01234567.0"));
    unlink(at("cas/README"));
    unlink(at("cas/89abcdef.0"));
    rmdir(at("cas"));
}

TEST(a_context_says_which_certificate_it_has)
{
    struct text text;
    text_init(&text, 1000);
    struct tls_options options = server_options();
    struct tls_context *context = context_of(TLS_SERVER, &options);
    tls_context_describe(context, &text);
    assert_non_null(strstr(text_string(&text), "certificate /CN=relay.test valid until "));
    tls_context_release(&context);
    assert_null(context);

    text_clear(&text);
    options.cert_file = at("expired.crt");
    options.key_file = at("expired.key");
    context = context_of(TLS_SERVER, &options);
    tls_context_describe(context, &text);
    assert_non_null(strstr(text_string(&text), "/CN=expired.test which has EXPIRED on "));
    tls_context_release(&context);

    text_clear(&text);
    context = context_of(TLS_CLIENT, &(struct tls_options){.ca_file = at("ca.crt")});
    tls_context_describe(context, &text);
    assert_string_equal(text_string(&text), "no certificate");
    tls_context_release(&context);
    text_fini(&text);
}

TEST(a_hello_is_known_by_two_bytes)
{
    assert_true(tls_is_hello(LITERAL("\x16\x03\x01\x02\x00")));
    assert_false(tls_is_hello(LITERAL("\x16")));
    assert_false(tls_is_hello(LITERAL("PING\r\n")));
    assert_false(tls_is_hello(LITERAL("*1\r\n")));
    assert_false(tls_is_hello(LITERAL("")));
}

/* ---- who is accepted ---- */

/* Every row once with each protocol. NULL as error: both come up and talk. */
struct meeting {
    const char *server_cert;
    const char *client_cert; /* NULL: none */
    const char *client_ca;
    const char *server_name;
    enum tls_auth_clients auth;
    const char *server_error;
    const char *client_error;
};

static const struct meeting meetings[] = {
    {"server", "client", "ca", NULL, TLS_AUTH_YES, NULL, NULL},
    {"server", "client", "ca", "relay.test", TLS_AUTH_OPTIONAL, NULL, NULL},
    {"server", NULL, "ca", NULL, TLS_AUTH_OPTIONAL, NULL, NULL},
    {"server", NULL, "ca", NULL, TLS_AUTH_NO, NULL, NULL},
    {"server", "unauthenticated client", "ca", NULL, TLS_AUTH_NO, NULL, NULL},
    {"elsewhere", "client", "ca", "elsewhere.test", TLS_AUTH_YES, NULL, NULL},

    {"server", NULL, "ca", NULL, TLS_AUTH_YES, "no client certificate came", "the peer refuses"},
    {"server", "old", "ca", NULL, TLS_AUTH_YES,
     "the client's certificate /CN=old.test is not accepted: it has expired",
     "the peer refuses our certificate: it has expired"},
    {"server", "unauthenticated client", "ca", NULL, TLS_AUTH_YES,
     "the client's certificate /CN=unauthenticated client.test is not accepted: unknown CA",
     "the peer refuses our certificate: unknown CA"},
    {"server", "unauthenticated client", "ca", NULL, TLS_AUTH_OPTIONAL,
     "is not accepted: unknown CA", "the peer refuses our certificate: unknown CA"},
    {"expired", "client", "ca", NULL, TLS_AUTH_YES,
     "the peer refuses our certificate: it has expired",
     "the server's certificate /CN=expired.test is not accepted: it has expired"},
    {"foreign", "client", "ca", NULL, TLS_AUTH_YES, "the peer refuses our certificate: unknown CA",
     "the server's certificate /CN=foreign.test is not accepted: unknown CA"},
    {"elsewhere", "client", "ca", NULL, TLS_AUTH_YES, "the peer refuses our certificate",
     "/CN=elsewhere.test is not accepted: it is for another host than 127.0.0.1"},
    {"server", "client", "ca", "other.test", TLS_AUTH_YES, "the peer refuses our certificate",
     "/CN=relay.test is not accepted: it is for another host than other.test"},
    {"server", "client", "other-ca", NULL, TLS_AUTH_YES,
     "the peer refuses our certificate: unknown CA", "is not accepted: unknown CA"},
};

static const char *file_of(const char *name, const char *kind)
{
    char file[32];
    if (name == NULL)
        return NULL;
    snprintf(file, sizeof file, "%s.%s", name, kind);
    return at(file);
}

static void say_hello(struct end *end)
{
    size_t sent;
    assert_int_equal(conn_send(end->conn, bytes_of("hello"), false, &sent), CONN_OK);
    assert_int_equal(sent, 5);
    conn_want(end->conn, true, false);
}

static bool both_said_hello(struct stage *stage)
{
    (void)both_are_up(stage);
    return stage->server.got_length == 5 && stage->client.got_length == 5;
}

static void assert_said(const char *error, const char *expected, const struct meeting *meeting)
{
    if (strstr(error, expected) == NULL)
        fail_msg("row %td: got \"%s\", expected \"%s\"", meeting - meetings, error, expected);
}

static void try(const struct meeting *meeting, const char *protocol)
{
    struct tls_options server = {
        .cert_file = file_of(meeting->server_cert, "crt"),
        .key_file = file_of(meeting->server_cert, "key"),
        .ca_file = at("ca.crt"),
        .protocols = protocol,
        .auth_clients = meeting->auth,
    };
    struct tls_options client = {
        .cert_file = file_of(meeting->client_cert, "crt"),
        .key_file = file_of(meeting->client_cert, "key"),
        .ca_file = file_of(meeting->client_ca, "crt"),
        .server_name = meeting->server_name,
    };
    struct stage stage;
    begin_stage(&stage, &server, &client);
    stage.server.on_writable = stage.client.on_writable = say_hello;
    begin_client(&stage);
    if (meeting->server_error == NULL) {
        run_until(&stage, both_said_hello, "hello at both ends");
    } else {
        run_until(&stage, both_are_gone, "the end of both");
        assert_said(stage.server.error, meeting->server_error, meeting);
        assert_said(stage.client.error, meeting->client_error, meeting);
        assert_int_equal(stage.server.ups, 0);
        assert_int_equal(stage.server.got_length, 0);
    }
    end_stage(&stage);
}

TEST(each_side_accepts_whom_it_should_and_says_why_not)
{
    for (size_t i = 0; i < LENGTH_OF(meetings); i++) {
        try(&meetings[i], "TLSv1.2");
        try(&meetings[i], "TLSv1.3");
    }
}

static void assert_nothing_shared(const struct tls_options *server,
                                  const struct tls_options *client, const char *words)
{
    char refusal[100];
    snprintf(refusal, sizeof refusal, "the peer refuses: %s", words);
    struct stage stage;
    begin_stage(&stage, server, client);
    begin_client(&stage);
    run_until(&stage, both_are_gone, "the end of both");
    assert_non_null(strstr(stage.server.error, words));
    assert_non_null(strstr(stage.client.error, refusal));
    end_stage(&stage);
}

TEST(nothing_in_common_is_said_at_both_ends)
{
    struct tls_options server = server_options();
    struct tls_options client = client_options();
    server.protocols = "TLSv1.3";
    client.protocols = "TLSv1.2";
    assert_nothing_shared(&server, &client, "no shared protocol version");

    server.protocols = client.protocols = "TLSv1.2";
    server.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
    client.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
    assert_nothing_shared(&server, &client, "no shared cipher");

    server.protocols = client.protocols = "TLSv1.3";
    server.ciphersuites = "TLS_AES_256_GCM_SHA384";
    client.ciphersuites = "TLS_AES_128_GCM_SHA256";
    assert_nothing_shared(&server, &client, "no shared cipher");
}

/* ---- sessions and new files ---- */

static void meet_again(struct stage *stage)
{
    forget(&stage->server);
    forget(&stage->client);
    stage->server.on_writable = stage->client.on_writable = say_hello;
    begin_client(stage);
    run_until(stage, both_said_hello, "hello at both ends");
}

TEST(a_client_resumes_its_session)
{
    const char *const protocols[] = {"TLSv1.2", "TLSv1.3"};
    for (size_t i = 0; i < LENGTH_OF(protocols); i++) {
        struct tls_options server = server_options();
        struct tls_options client = client_options();
        server.protocols = protocols[i];
        struct stage stage;
        begin_stage(&stage, &server, &client);
        meet_again(&stage);
        assert_int_equal(tls_context_resumed(stage.server_tls), 0);
        for (unsigned times = 1; times <= 3; times++) {
            meet_again(&stage);
            assert_int_equal(tls_context_resumed(stage.server_tls), times);
            assert_int_equal(tls_context_resumed(stage.client_tls), times);
        }
        end_stage(&stage);
    }
}

TEST(a_new_context_is_for_new_connections_and_the_old_one_goes_on)
{
    struct tls_options server = server_options();
    struct tls_options client = client_options();
    struct stage stage;
    begin_stage(&stage, &server, &client);
    meet_again(&stage);
    struct end server_before = stage.server;
    struct end client_before = stage.client;
    /* The ends move, and the connections with them. */
    conn_detach(server_before.conn);
    conn_detach(client_before.conn);
    assert_true(conn_attach(server_before.conn, stage.loop, on_end_event, &server_before));
    assert_true(conn_attach(client_before.conn, stage.loop, on_end_event, &client_before));
    conn_want(server_before.conn, true, false);
    conn_want(client_before.conn, true, false);
    stage.server = (struct end){.stage = &stage};
    stage.client = (struct end){.stage = &stage};

    server.cert_file = at("foreign.crt");
    server.key_file = at("foreign.key");
    tls_context_release(&stage.server_tls);
    stage.server_tls = context_of(TLS_SERVER, &server);
    client.ca_file = at("other-ca.crt");
    tls_context_release(&stage.client_tls);
    stage.client_tls = context_of(TLS_CLIENT, &client);
    meet_again(&stage);
    assert_int_equal(tls_context_resumed(stage.server_tls), 0);

    say_hello(&server_before);
    say_hello(&client_before);
    while (server_before.got_length < 10 || client_before.got_length < 10)
        run_for(stage.loop, 5);
    forget(&server_before);
    forget(&client_before);
    end_stage(&stage);
}

TEST_GROUP(make_certificates, remove_certificates);
