/* SPDX-License-Identifier: MIT */
#include "../../../relay/config/rewrite.h"

#include "test.h"

static struct text out;

static void expect_all(const char *ini, const struct rewrite_change *changes, size_t count,
                       const char *expected)
{
    text_init(&out, 64 * 1024);
    rewrite_ini(bytes_of(ini), changes, count, &out);
    assert_string_equal(text_string(&out), expected);
    text_fini(&out);
}

/* [store] fsync = always, or what else is said. */
static void expect_set(const char *ini, const char *value, const char *expected)
{
    const struct rewrite_change change = {"store", "fsync", value};
    expect_all(ini, &change, 1, expected);
}

static void expect(const char *ini, const char *expected)
{
    expect_set(ini, "always", expected);
}

TEST(without_changes_every_byte_stays)
{
    static const char *const inis[] = {
        "",
        "\n",
        "\n\n",
        "[store]",
        "[store]\n",
        "\xEF\xBB\xBF[store]\r\nfsync = no\r\n",
        "  [store]  \n\tfsync\t=\tno \n\n;x\n#\n# a = b\n\n\n",
        "[a]\nb = c = d ; e\nf : g\nno end",
    };
    for (size_t i = 0; i < LENGTH_OF(inis); i++)
        expect_all(inis[i], NULL, 0, inis[i]);
}

TEST(only_the_value_of_its_line_is_replaced)
{
    expect("[store]\nfsync = no\n", "[store]\nfsync = always\n");
    expect("[store]\nfsync=no\n", "[store]\nfsync=always\n");
    expect("[store]\nfsync:no\n", "[store]\nfsync:always\n");
    expect("[store]\n  fsync \t=\t no  \t\n", "[store]\n  fsync \t=\t always\n");
    expect("[store]\nfsync = no", "[store]\nfsync = always\n");
    expect("[store]\nfsync =\n", "[store]\nfsync =always\n");
    expect("[store]\nfsync = a = b : c ; d\n", "[store]\nfsync = always\n");
    expect("[store]\nfsync = no\nsnapshot = x\n", "[store]\nfsync = always\nsnapshot = x\n");
}

TEST(an_empty_value_and_one_full_of_signs)
{
    expect_set("[store]\nfsync = no\n", "", "[store]\nfsync = \n");
    expect_set("[store]\n;fsync = no\n", "", "[store]\nfsync =\n");
    expect_set("[store]\n", "", "[store]\nfsync =\n");
    expect_set("[store]\nfsync = no\n", "; # = : [x] \"", "[store]\nfsync = ; # = : [x] \"\n");
}

TEST(the_line_that_is_commented_out_gives_its_place)
{
    expect("[store]\n# how\n;fsync = everysec\n\n;snapshot = x\n",
           "[store]\n# how\nfsync = always\n\n;snapshot = x\n");
    expect("[store]\n; fsync = everysec\n", "[store]\nfsync = always\n");
    expect("[store]\n  ;fsync=everysec\n", "[store]\nfsync = always\n");
    expect("[store]\n#fsync = everysec\n", "[store]\nfsync = always\n");
    expect("[store]\n;fsync = everysec", "[store]\nfsync = always\n");
}

TEST(a_comment_in_words_is_none)
{
    expect("[store]\n# fsync = always is slow\n",
           "[store]\nfsync = always\n# fsync = always is slow\n");
    expect("[store]\n;when fsync = always it is slow\n;snapshot = x\n",
           "[store]\n;when fsync = always it is slow\n;snapshot = x\nfsync = always\n");
    expect("[store]\n;fsync\n#\n;\n", "[store]\nfsync = always\n;fsync\n#\n;\n");
}

TEST(the_line_that_counts_goes_first)
{
    expect("[store]\n;fsync = everysec\nfsync = no\n;fsync = always\n",
           "[store]\n;fsync = everysec\nfsync = always\n;fsync = always\n");
    /* Of those that are commented out, the first. */
    expect("[store]\n;fsync = a\n;fsync = b\n", "[store]\nfsync = always\n;fsync = b\n");
}

TEST(other_sections_and_other_keys_stay)
{
    expect("[relay]\nfsync = no\n[store]\nfsync2 = no\nfsyn = no\nFSYNC = no\n[downstream]\n;fsync "
           "= x\n",
           "[relay]\nfsync = no\n[store]\nfsync2 = no\nfsyn = no\nFSYNC = no\nfsync = always\n"
           "[downstream]\n;fsync = x\n");
    expect("fsync = no\n[Store]\nfsync = no\n",
           "fsync = no\n[Store]\nfsync = no\n\n[store]\nfsync = always\n");
}

TEST(a_new_one_goes_behind_the_last_of_its_section)
{
    expect("[store]\nsnapshot = x\n\n# of downstream\n[downstream]\nport = 1\n",
           "[store]\nsnapshot = x\nfsync = always\n\n# of downstream\n[downstream]\nport = 1\n");
    expect("[store]\n\n[downstream]\n", "[store]\nfsync = always\n\n[downstream]\n");
    expect("[store]\nsnapshot = x", "[store]\nsnapshot = x\nfsync = always\n");
    expect("[store]", "[store]\nfsync = always\n");
    /* A section may be begun twice: behind what was said last. */
    expect("[store]\na = 1\n[x]\n[store]\nb = 2\n[y]\n",
           "[store]\na = 1\n[x]\n[store]\nb = 2\nfsync = always\n[y]\n");
}

TEST(a_section_that_is_missing_is_made)
{
    expect("", "[store]\nfsync = always\n");
    expect("[relay]\nthreads = 2", "[relay]\nthreads = 2\n\n[store]\nfsync = always\n");
    expect("# only words\n", "# only words\n\n[store]\nfsync = always\n");
}

TEST(line_ends_stay_what_they_are)
{
    expect("[store]\r\nfsync = no\r\nx = y\r\n", "[store]\r\nfsync = always\r\nx = y\r\n");
    expect("[store]\r\n;fsync = no\r\n", "[store]\r\nfsync = always\r\n");
    expect("[relay]\r\n", "[relay]\r\n\r\n[store]\r\nfsync = always\r\n");
    expect("[store]\r\nx = y\r\n\r\n", "[store]\r\nx = y\r\nfsync = always\r\n\r\n");
}

TEST(a_byte_order_mark_is_no_part_of_a_name)
{
    expect("\xEF\xBB\xBF[store]\nfsync = no\n", "\xEF\xBB\xBF[store]\nfsync = always\n");
}

TEST(several_changes_find_each_its_place)
{
    const struct rewrite_change changes[] = {
        {"relay", "log-level", "debug"}, {"upstream", "repl-timeout", "5"},
        {"upstream", "ack", "all"},      {"downstream", "repl-timeout", "6"},
        {"downstream", "timeout", "7"},  {"store", "fsync", "no"},
        {"store", "snapshot", "x"},
    };
    expect_all(
        "[upstream]\n;repl-timeout = 60\nreplicaof = a 1\n\n[downstream]\nrepl-timeout = 60\n",
        changes, LENGTH_OF(changes),
        "[upstream]\nrepl-timeout = 5\nreplicaof = a 1\nack = all\n\n[downstream]\n"
        "repl-timeout = 6\ntimeout = 7\n\n[relay]\nlog-level = debug\n\n[store]\nfsync = no\n"
        "snapshot = x\n");
}

/* What was written is found again, wherever it was put: the second time only the value changes. */
TEST(a_second_rewrite_changes_the_value_alone)
{
    static const char *const inis[] = {
        "", "[store]", "[store]\n;fsync = x\n", "[store]\nfsync = x", "[a]\r\n", "x\n[store]\n#\n",
    };
    for (size_t i = 0; i < LENGTH_OF(inis); i++) {
        const struct rewrite_change first = {"store", "fsync", "always"};
        const struct rewrite_change second = {"store", "fsync", "never"};
        struct text once;
        struct text twice;
        text_init(&once, 1024);
        text_init(&twice, 1024);
        rewrite_ini(bytes_of(inis[i]), &first, 1, &once);
        rewrite_ini(text_bytes(&once), &second, 1, &twice);
        assert_int_equal(once.length - strlen("always"), twice.length - strlen("never"));
        const char *at = strstr(text_string(&once), "always");
        size_t before = (size_t)(at - text_string(&once));
        assert_memory_equal(text_string(&once), text_string(&twice), before);
        assert_string_equal(at + 6, text_string(&twice) + before + 5);
        text_fini(&once);
        text_fini(&twice);
    }
}
