/* SPDX-License-Identifier: MIT
 *
 * What store_probe says against what store_open does, on the same files: nothing that ends a start is
 * missed, nothing else is refused, and looking changes nothing.
 */
#include <dirent.h>
#include <sys/file.h>

#include "depot_fixture.h"
#include "relay/base/crc64.h"
#include "relay/base/log.h"

#define HISTORY "data/history-1/"

static struct text taken;
static struct text why;

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    depot_init(&depot);
    text_init(&taken, 4096);
    text_init(&why, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_fini(&taken);
    text_fini(&why);
    depot_fini(&depot);
    return 0;
}

#define PROBE_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void fill(void)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, DEPOT_SEGMENT, 0);
    depot_stream(&depot, 700, 0);
    store_close(&depot.store);
}

static bool probe(void)
{
    text_clear(&taken);
    text_clear(&why);
    return store_probe(&depot.options, &taken, &why);
}

/* A start says the same, in one line. */
static void expect_as_start(const char *case_name)
{
    bool good = probe();
    text_clear(&depot.why);
    depot.store = store_open(&depot.options, &depot.why);
    if (good != (depot.store != NULL))
        fail_msg("%s: probe says \"%s\", a start \"%s\"", case_name, text_string(&why),
                 text_string(&depot.why));
    assert_string_equal(text_string(&taken), "");
    assert_int_equal(why.length > 0, !good);
    store_close(&depot.store);
}

PROBE_TEST(what_is_not_there_is_not_made)
{
    assert_true(probe());
    assert_true(depot_loses(&depot, "data"));
    assert_int_equal(mkdirat(depot.place.directory, "data", 0700), 0);
    assert_true(probe());
    assert_true(depot_loses(&depot, "data/lock"));
    expect_as_start("an empty directory");
}

PROBE_TEST(a_good_one_is_good)
{
    fill();
    expect_as_start("as it was left");
    expect_as_start("and once more");
}

PROBE_TEST(what_is_no_directory_is_refused)
{
    place_write(&depot.place, "data", bytes_of("a file"));
    expect_as_start("a file");
    assert_non_null(strstr(text_string(&why), "Not a directory"));
}

PROBE_TEST(who_uses_it_is_told_and_not_disturbed)
{
    fill();
    depot_open(&depot);
    assert_true(probe());
    assert_string_equal(text_string(&why), "");
    struct text expected;
    text_init(&expected, 4096);
    assert_null(store_open(&depot.options, &expected));
    assert_string_equal(text_string(&taken), text_string(&expected));
    depot_stream(&depot, 100, 0);
    store_close(&depot.store);
    text_fini(&expected);
    /* And nothing is kept: a start is not in its way. */
    assert_true(probe());
    assert_string_equal(text_string(&taken), "");
    depot_open(&depot);
}

static void damage_by(const char *name, bool is_directory)
{
    int directory = openat(depot.place.directory, HISTORY, O_RDONLY | O_DIRECTORY);
    assert_true(directory != -1);
    (void)unlinkat(directory, name, 0);
    if (is_directory)
        assert_int_equal(mkdirat(directory, name, 0700), 0);
    close(directory);
}

PROBE_TEST(every_file_that_is_missing_or_none)
{
    static const char *const names[] = {
        "identity", "identity.kept", "tail", "backlog/1000.seg", "snapshot/1000.rdb",
    };
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        for (int is_directory = 0; is_directory < 2; is_directory++) {
            depot_fini(&depot);
            depot_init(&depot);
            fill();
            damage_by(names[i], is_directory);
            expect_as_start(names[i]);
        }
    }
}

PROBE_TEST(what_is_no_history_is_passed_over)
{
    fill();
    place_write(&depot.place, "data/history-7", bytes_of("a file"));
    place_write(&depot.place, "data/stray", bytes_of("not ours"));
    expect_as_start("stray files");
    depot_fini(&depot);
    depot_init(&depot);
    fill();
    place_write(&depot.place, HISTORY "identity", bytes_of("nonsense"));
    expect_as_start("an identity that is none");
}

PROBE_TEST(what_a_newer_version_wrote_is_refused_in_the_same_words)
{
    struct text newer;
    text_init(&newer, 500);
    fill();
    text_append_string(&newer, "psync-relay identity 3\nreplid of another kind\n");
    uint64_t sum = crc64(0, (const uint8_t *)newer.data, newer.length);
    text_format(&newer, "sum %016llx\n", (unsigned long long)sum);
    place_write(&depot.place, HISTORY "identity", text_bytes(&newer));
    expect_as_start("a newer version's");
    text_append_string(&depot.why, "\n");
    assert_string_equal(text_string(&why), text_string(&depot.why));
    text_fini(&newer);
}
