/* SPDX-License-Identifier: MIT */
#include "../../../relay/net/resolver.h"

#include "name_server.h"

struct asker {
    struct loop *loop;
    unsigned answers;
    size_t found;
    char first[ADDRESS_TEXT_MAX];
    uint16_t port;
    char second[ADDRESS_TEXT_MAX];
    char error[LOOKUP_ERROR_MAX];
};

/* The files of the machine that the test pretends to run on. */
static char resolv_conf[32];
static char hosts[32];
static const struct lookup_files files = {resolv_conf, hosts};

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static int make_files(void **state)
{
    (void)state;
    close(make_file("", resolv_conf));
    close(make_file("", hosts));
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(resolv_conf);
    unlink(hosts);
    return 0;
}

static void use_server(const struct name_server *server)
{
    char line[64];
    snprintf(line, sizeof line, "nameserver 127.0.0.1:%u\n", server->port);
    write_file(resolv_conf, line);
}

static void on_found(const struct addresses *found, const char *error, void *arg)
{
    struct asker *asker = arg;
    asker->answers++;
    asker->found = found->count;
    if (found->count > 0) {
        address_format(&found->list[0], asker->first);
        asker->port = address_port(&found->list[0]);
    }
    if (found->count > 1)
        address_format(&found->list[1], asker->second);
    snprintf(asker->error, sizeof asker->error, "%s", error);
    loop_stop(asker->loop);
}

static struct asker ask(const char *host)
{
    struct asker asker = {.loop = new_loop()};
    struct lookup *lookup = lookup_start(asker.loop, &files, host, 6379, on_found, &asker);
    assert_non_null(lookup);
    assert_int_equal(asker.answers, 0); /* never from inside the call */
    run(asker.loop, "an answer");
    assert_int_equal(asker.answers, 1);
    loop_free(&asker.loop);
    return asker;
}

TEST(numeric_addresses_need_no_server)
{
    struct asker asker = ask("192.0.2.7");
    assert_int_equal(asker.found, 1);
    assert_string_equal(asker.first, "192.0.2.7");
    assert_int_equal(asker.port, 6379);
    asker = ask("2001:db8::7");
    assert_int_equal(asker.found, 1);
    assert_string_equal(asker.first, "2001:db8::7");
    assert_int_equal(asker.port, 6379);
}

TEST(the_hosts_file_is_enough_where_there_is_no_name_server)
{
    write_file(resolv_conf, "# nobody to ask\n");
    write_file(hosts, "192.0.2.5 primary.test primary\n2001:db8::5 primary.test\n");
    struct asker asker = ask("primary.test");
    assert_int_equal(asker.found, 2);
    assert_string_equal(asker.first, "192.0.2.5");
    assert_string_equal(asker.second, "2001:db8::5");
    assert_int_equal(asker.port, 6379);

    unlink(resolv_conf); /* nor a file that could name one */
    assert_string_equal(ask("primary").first, "192.0.2.5");
}

TEST(the_files_are_read_anew_for_each_lookup)
{
    write_file(hosts, "192.0.2.5 moves.test\n");
    assert_string_equal(ask("moves.test").first, "192.0.2.5");
    write_file(hosts, "192.0.2.6 moves.test\n");
    assert_string_equal(ask("moves.test").first, "192.0.2.6");
}

TEST(a_name_server_is_asked)
{
    struct name_server server;
    name_server_start(&server);
    use_server(&server);
    struct asker asker = ask("known.test");
    assert_string_equal(asker.error, "");
    assert_int_equal(asker.found, 1);
    assert_string_equal(asker.first, "192.0.2.44");
    assert_int_equal(asker.port, 6379);
    name_server_stop(&server);
}

TEST(what_no_server_knows_is_said_in_words)
{
    struct name_server server;
    name_server_start(&server);
    use_server(&server);
    struct asker asker = ask("host.example");
    assert_int_equal(asker.found, 0);
    assert_string_equal(asker.error, "host.example: Name or service not known");
    name_server_stop(&server);
}

TEST(names_that_cannot_be_are_refused)
{
    char label[80];
    memset(label, 'x', sizeof label);
    label[sizeof label - 1] = '\0';
    struct asker asker = ask(label); /* a label has 63 letters at most */
    assert_int_equal(asker.found, 0);
    assert_non_null(strstr(asker.error, "xxx: "));
    asker = ask("");
    assert_int_equal(asker.found, 0);
    assert_string_equal(asker.error, ": Name or service not known");
}

static void never(const struct addresses *found, const char *error, void *arg)
{
    (void)found;
    (void)arg;
    fail_msg("a cancelled lookup has told: %s", error);
}

TEST(a_cancelled_lookup_tells_nothing)
{
    struct name_server server;
    name_server_start(&server);
    use_server(&server);
    write_file(hosts, "192.0.2.5 primary.test\n");
    static const char *const names[] = {"192.0.2.7", "primary.test", "known.test", "silent.test"};
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        struct loop *loop = new_loop();
        struct lookup *lookup = lookup_start(loop, &files, names[i], 1, never, NULL);
        assert_non_null(lookup);
        lookup_cancel(&lookup);
        assert_null(lookup);
        run_for(loop, 5);
        /* Cancelled when the loop goes, before it could wind up. */
        lookup = lookup_start(loop, &files, names[i], 1, never, NULL);
        assert_non_null(lookup);
        lookup_cancel(&lookup);
        int64_t begun_ms = clock_ms();
        loop_free(&loop);
        assert_in_range(clock_ms() - begun_ms, 0, 2000); /* not as long as a server may be silent */
    }
    name_server_stop(&server);
}

TEST(a_lookup_may_be_cancelled_while_it_waits)
{
    struct name_server server;
    name_server_start(&server);
    use_server(&server);
    struct loop *loop = new_loop();
    struct lookup *lookup = lookup_start(loop, &files, "silent.test", 1, never, NULL);
    assert_non_null(lookup);
    run_for(loop, 30);
    lookup_cancel(&lookup);
    run_for(loop, 10);
    loop_free(&loop);
    name_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numeric_addresses_need_no_server, make_files, remove_files),
        cmocka_unit_test_setup_teardown(the_hosts_file_is_enough_where_there_is_no_name_server,
                                        make_files, remove_files),
        cmocka_unit_test_setup_teardown(the_files_are_read_anew_for_each_lookup, make_files,
                                        remove_files),
        cmocka_unit_test_setup_teardown(a_name_server_is_asked, make_files, remove_files),
        cmocka_unit_test_setup_teardown(what_no_server_knows_is_said_in_words, make_files,
                                        remove_files),
        cmocka_unit_test_setup_teardown(names_that_cannot_be_are_refused, make_files, remove_files),
        cmocka_unit_test_setup_teardown(a_cancelled_lookup_tells_nothing, make_files, remove_files),
        cmocka_unit_test_setup_teardown(a_lookup_may_be_cancelled_while_it_waits, make_files,
                                        remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
