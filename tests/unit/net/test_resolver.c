/* SPDX-License-Identifier: MIT */
#include "resolving.h"

struct asker {
    struct loop *loop;
    unsigned answers;
    size_t found;
    char first[ADDRESS_TEXT_MAX];
    uint16_t port;
    char second[ADDRESS_TEXT_MAX];
    char error[LOOKUP_ERROR_MAX];
};

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

static struct asker ask(resolve_fn *resolve, const char *host)
{
    struct asker asker = {.loop = new_loop()};
    struct lookup *lookup = lookup_start(asker.loop, resolve, host, 6379, on_found, &asker);
    assert_non_null(lookup);
    assert_int_equal(asker.answers, 0); /* never from inside the call */
    run(asker.loop, "an answer");
    assert_int_equal(asker.answers, 1);
    loop_free(&asker.loop);
    return asker;
}

static void resolve_never(const char *host, struct addresses *found,
                          char error[NAME_QUERY_ERROR_MAX])
{
    (void)found;
    (void)error;
    fail_msg("%s was looked up", host);
}

TEST(numeric_addresses_are_not_looked_up)
{
    struct asker asker = ask(resolve_never, "192.0.2.7");
    assert_int_equal(asker.found, 1);
    assert_string_equal(asker.first, "192.0.2.7");
    assert_int_equal(asker.port, 6379);
    asker = ask(resolve_never, "2001:db8::7");
    assert_int_equal(asker.found, 1);
    assert_string_equal(asker.first, "2001:db8::7");
    assert_int_equal(asker.port, 6379);
}

TEST(a_name_has_its_addresses_and_our_port)
{
    struct asker asker = ask(resolve_known, "both.test");
    assert_string_equal(asker.error, "");
    assert_int_equal(asker.found, 2);
    assert_string_equal(asker.first, "192.0.2.5");
    assert_string_equal(asker.second, "2001:db8::5");
    assert_int_equal(asker.port, 6379);
}

TEST(an_unknown_name_is_told_with_the_reason)
{
    struct asker asker = ask(resolve_known, "host.example");
    assert_int_equal(asker.found, 0);
    assert_string_equal(asker.error, "host.example: Name or service not known");
}

TEST(the_c_library_is_asked)
{
    struct addresses found = {0};
    char error[NAME_QUERY_ERROR_MAX] = "";
    resolve_by_system("0x7f000001", &found, error); /* known without any file or server */
    assert_int_equal(found.count, 1);
    char text[ADDRESS_TEXT_MAX];
    address_format(&found.list[0], text);
    assert_string_equal(text, "127.0.0.1");
}

TEST(names_that_cannot_be_are_refused)
{
    char label[80];
    memset(label, 'x', sizeof label);
    label[sizeof label - 1] = '\0';
    struct asker asker = ask(resolve_by_system, label); /* a label has 63 letters at most */
    assert_int_equal(asker.found, 0);
    assert_non_null(strstr(asker.error, "xxx: "));
    char host[ADDRESS_HOST_MAX + 1];
    memset(host, 'x', sizeof host);
    host[sizeof host - 1] = '\0';
    assert_non_null(strstr(ask(resolve_never, host).error, "xxx: "));
    asker = ask(resolve_never, "");
    assert_int_equal(asker.found, 0);
    assert_string_equal(asker.error, ": Name or service not known");
}

static void never(const struct addresses *found, const char *error, void *arg)
{
    (void)found;
    (void)arg;
    fail_msg("a cancelled lookup has told: %s", error);
}

static struct lookup *ask_in_vain(struct loop *loop, const char *host)
{
    struct lookup *lookup = lookup_start(loop, resolve_slowly, host, 1, never, NULL);
    assert_non_null(lookup);
    return lookup;
}

static int begin_anew(void **state)
{
    (void)state;
    reset_slow();
    return 0;
}

#define SLOW_NAME_TEST(name) TEST_SETUP(name, begin_anew, NULL)

SLOW_NAME_TEST(a_cancelled_lookup_tells_nothing)
{
    struct loop *loop = new_loop();
    struct lookup *lookup = ask_in_vain(loop, "192.0.2.7");
    lookup_cancel(&lookup);
    assert_null(lookup);

    lookup = ask_in_vain(loop, "no.test");
    await_slow(1, 0);
    lookup_cancel(&lookup); /* while the C library is asked: the loop does not wait for it */

    lookup = ask_in_vain(loop, "no-2.test");
    allow_slow_answers(2);
    await_slow(2, 2); /* answered, and not taken */
    lookup_cancel(&lookup);
    run_for(loop, 5);
    loop_free(&loop);
}

SLOW_NAME_TEST(the_next_attempt_takes_the_answer_that_came_too_late_for_the_one_before)
{
    struct loop *loop = new_loop();
    struct lookup *lookup = ask_in_vain(loop, "slow.test");
    await_slow(1, 0);
    lookup_cancel(&lookup);
    lookup = ask_in_vain(loop, "slow.test"); /* still the same question */
    lookup_cancel(&lookup);
    loop_free(&loop);
    allow_slow_answers(1);
    await_slow(1, 1);

    assert_string_equal(ask(resolve_slowly, "slow.test").first, "192.0.2.99");
    await_slow(1, 1); /* nobody was asked again */

    allow_slow_answers(1);
    assert_string_equal(ask(resolve_slowly, "slow.test").first, "192.0.2.99");
    await_slow(2, 2); /* an answer is used once: the name may have moved */
}

SLOW_NAME_TEST(all_who_want_a_name_wait_for_one_answer)
{
    struct asker askers[3] = {{0}};
    struct loop *loop = new_loop();
    for (size_t i = 0; i < LENGTH_OF(askers); i++) {
        askers[i].loop = loop;
        assert_non_null(lookup_start(loop, resolve_slowly, "slow.test", (uint16_t)(6379 + i),
                                     on_found, &askers[i]));
    }
    allow_slow_answers(1);
    while (askers[0].answers + askers[1].answers + askers[2].answers < 3)
        run(loop, "three answers");
    for (size_t i = 0; i < LENGTH_OF(askers); i++) {
        assert_string_equal(askers[i].first, "192.0.2.99");
        assert_int_equal(askers[i].port, 6379 + i);
    }
    await_slow(1, 1);
    loop_free(&loop);
}

SLOW_NAME_TEST(a_name_that_hangs_does_not_hold_up_others_and_their_number_is_bounded)
{
    struct loop *loop = new_loop();
    struct lookup *hanging[NAME_QUERIES_MAX];
    for (unsigned i = 0; i < NAME_QUERIES_MAX - 1; i++) {
        char host[32];
        snprintf(host, sizeof host, "no-%u.test", i);
        hanging[i] = ask_in_vain(loop, host);
    }
    assert_string_equal(ask(resolve_known, "known.test").first, "192.0.2.44");
    hanging[NAME_QUERIES_MAX - 1] = ask_in_vain(loop, "no-last.test");
    assert_non_null(strstr(ask(resolve_known, "known.test").error,
                           "known.test: 16 other names are still being looked up"));
    for (unsigned i = 0; i < NAME_QUERIES_MAX; i++)
        lookup_cancel(&hanging[i]);
    allow_slow_answers(NAME_QUERIES_MAX);
    await_slow(NAME_QUERIES_MAX, NAME_QUERIES_MAX);
    loop_free(&loop);
    /* Their threads need a moment to say so. */
    int64_t until_ms = clock_ms() + CONNECT_TIMEOUT_MS;
    struct asker asker;
    do {
        asker = ask(resolve_known, "known.test");
    } while (asker.found == 0 && clock_ms() < until_ms);
    assert_string_equal(asker.first, "192.0.2.44");
}
