/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/announced_version.h"

#include "../../../relay/upstream/primary_choice.h"
#include "test.h"

#define V(major, minor) SERVER_VERSION(major, minor, 0)

static const int64_t NOW = 1767225600000;

static struct announced_version announced;

static const struct primary_choice valkey_91 = {true, V(9, 1)};
static const struct primary_choice valkey_92 = {true, V(9, 2)};
static const struct primary_choice unknown = {true, 0};
static const struct primary_choice redis = {false, 0};

static int set_up(void **state)
{
    (void)state;
    announced = (struct announced_version){0};
    return 0;
}

#define VERSION_TEST(name) TEST_SETUP(name, set_up, NULL)

static void assert_announced(int64_t at_ms, uint32_t expected)
{
    char shown[SERVER_VERSION_MAX];
    char wanted[SERVER_VERSION_MAX];
    assert_string_equal(server_version_format(announced_version_now(&announced, at_ms), shown),
                        server_version_format(expected, wanted));
}

VERSION_TEST(without_replicas_what_most_can_read)
{
    assert_announced(NOW, V(7, 2));
    assert_int_equal(announced_version_lowest(&announced, NOW), 0);
}

VERSION_TEST(the_lowest_of_the_replicas)
{
    assert_true(announced_version_note(&announced, V(9, 1), NOW));
    assert_announced(NOW, V(9, 1));
    assert_true(announced_version_note(&announced, V(8, 1), NOW));
    assert_announced(NOW, V(8, 1));
    assert_true(announced_version_note(&announced, V(9, 0), NOW));
    assert_announced(NOW, V(8, 1));
    assert_true(announced_version_note(&announced, 0, NOW)); /* it told none */
    assert_announced(NOW, V(7, 2));
}

VERSION_TEST(one_that_has_left_is_remembered_for_a_day)
{
    announced_version_note(&announced, V(8, 1), NOW);
    announced_version_note(&announced, V(9, 1), NOW);
    assert_announced(NOW + ANNOUNCED_KEPT_MS - 1, V(8, 1));
    announced_version_note(&announced, V(9, 1), NOW + ANNOUNCED_KEPT_MS - 1);
    assert_announced(NOW + ANNOUNCED_KEPT_MS, V(9, 1));
    /* As is one that was seen by a clock that was ahead. */
    announced_version_note(&announced, V(8, 1), NOW + 3 * (int64_t)ANNOUNCED_KEPT_MS);
    assert_announced(NOW + ANNOUNCED_KEPT_MS, V(9, 1));
}

VERSION_TEST(the_same_again_is_no_news)
{
    assert_true(announced_version_note(&announced, V(8, 1), NOW));
    assert_false(announced_version_note(&announced, V(8, 1), NOW + 60 * 1000));
    assert_true(announced_version_note(&announced, V(8, 1), NOW + 60 * 60 * 1000));
    assert_int_equal(announced.count, 1);
}

VERSION_TEST(of_very_many_versions_the_oldest_is_forgotten)
{
    for (uint32_t i = 0; i < ANNOUNCED_PLACES + 1; i++)
        announced_version_note(&announced, V(8, i), NOW + i);
    assert_int_equal(announced.count, ANNOUNCED_PLACES);
    assert_announced(NOW + 100, V(8, 1));
}

VERSION_TEST(what_the_primary_cannot_write_is_raised_step_by_step)
{
    announced_version_note(&announced, V(8, 1), NOW);
    assert_true(announced_version_cut_off(&announced, &valkey_92, V(8, 1), NOW));
    assert_announced(NOW, V(9, 0));
    assert_true(announced_version_cut_off(&announced, &valkey_92, V(9, 0), NOW));
    assert_announced(NOW, V(9, 2));
    /* It was something else. */
    assert_true(announced_version_cut_off(&announced, &valkey_92, V(9, 2), NOW));
    assert_announced(NOW, V(8, 1));
    assert_true(announced_version_cut_off(&announced, &unknown, V(8, 1), NOW));
    assert_announced(NOW, V(9, 0));
    assert_true(announced_version_cut_off(&announced, &valkey_91, V(9, 0), NOW));
    assert_announced(NOW, V(8, 1));
}

VERSION_TEST(what_the_data_needed_is_remembered_for_a_day)
{
    announced_version_note(&announced, V(8, 1), NOW);
    assert_true(announced_version_cut_off(&announced, &valkey_91, V(8, 1), NOW));
    announced_version_note(&announced, V(8, 1), NOW + ANNOUNCED_KEPT_MS - 1);
    assert_announced(NOW + ANNOUNCED_KEPT_MS - 1, V(9, 0));
    assert_announced(NOW + ANNOUNCED_KEPT_MS, V(8, 1));
}

VERSION_TEST(who_does_not_choose_is_not_asked_for_more)
{
    assert_false(announced_version_cut_off(&announced, &redis, V(7, 2), NOW));
    assert_announced(NOW, V(7, 2));
    announced.fixed = V(8, 0);
    assert_announced(NOW, V(8, 0));
    assert_false(announced_version_cut_off(&announced, &valkey_92, V(8, 0), NOW));
    announced_version_note(&announced, V(7, 2), NOW);
    assert_announced(NOW, V(8, 0));
}

VERSION_TEST(a_note_is_written_and_read)
{
    struct text note;
    struct announced_version read;
    text_init(&note, 4096);
    announced_version_note(&announced, V(9, 1), NOW);
    announced_version_note(&announced, V(8, 1), NOW + 5);
    announced_version_cut_off(&announced, &valkey_92, V(8, 1), NOW + 6);
    announced_version_format(&announced, &note);
    assert_string_equal(text_string(&note), "psync-relay versions 1\n"
                                            "replica 9.1.0 1767225600000\n"
                                            "replica 8.1.0 1767225600005\n"
                                            "least 9.0.0 1767225600006\n");
    assert_true(announced_version_parse(text_bytes(&note), &read));
    assert_memory_equal(&read, &announced, sizeof(read));
    for (size_t length = 1; length < note.length; length++) {
        struct bytes cut = bytes_first(text_bytes(&note), length);
        assert_int_equal(announced_version_parse(cut, &read), cut.data[length - 1] == '\n');
    }
    text_fini(&note);
}

VERSION_TEST(what_is_no_note_is_refused)
{
    static const char *const bad[] = {
        "psync-relay versions 2\n",
        "psync-relay versions 1\nreplica\n",
        "psync-relay versions 1\nreplica 8.1.0\n",
        "psync-relay versions 1\nreplica 8.1 5\n",
        "psync-relay versions 1\nreplica 8.1.0 5 6\n",
        "psync-relay versions 1\nelse 8.1.0 5\n",
        "psync-relay versions 1\n\n",
    };
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_false(announced_version_parse(bytes_of(bad[i]), &announced));
    struct text many;
    text_init(&many, 4096);
    text_append_string(&many, "psync-relay versions 1\n");
    for (int i = 0; i < ANNOUNCED_PLACES + 1; i++)
        text_append_string(&many, "replica 8.1.0 5\n");
    assert_false(announced_version_parse(text_bytes(&many), &announced));
    assert_int_equal(announced.count, 0);
    text_fini(&many);
}

VERSION_TEST(who_chooses)
{
    static struct handshake handshake;
    assert_false(primary_choice_of(&handshake).may_choose); /* it did not take the version */
    handshake.took_version = true;
    assert_true(primary_choice_of(&handshake).may_choose); /* who knows */
    snprintf(handshake.info.server_version, PRIMARY_VERSION_MAX, "7.2.4");
    assert_false(primary_choice_of(&handshake).may_choose); /* a Redis */
    snprintf(handshake.info.valkey_version, PRIMARY_VERSION_MAX, "9.0.3");
    assert_false(primary_choice_of(&handshake).may_choose);
    snprintf(handshake.info.valkey_version, PRIMARY_VERSION_MAX, "9.1.0");
    assert_true(primary_choice_of(&handshake).may_choose);
    assert_int_equal(primary_choice_of(&handshake).version, V(9, 1));
}
