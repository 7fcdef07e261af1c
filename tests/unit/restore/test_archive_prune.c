/* SPDX-License-Identifier: MIT */
#include "../../../relay/restore/archive_prune.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

enum { ENTRIES_MAX = 16 };

/* An archive of one relay: a row for each file. Times are small numbers. */
struct row {
    uint64_t timeline;
    uint64_t offset;
    uint64_t end; /* of a segment; 0: an RDB */
    int64_t moment;
    uint64_t parent; /* of the timeline, which begins at `begin` */
    uint64_t begin;
    bool has_no_manifest;
};

static char removed[4096];

static bool note_removed(const char *name, void *arg)
{
    struct object_name parsed;
    bool is_manifest;
    size_t length = strlen(removed);
    (void)arg;
    assert_true(object_name_parse(bytes_of(name), &parsed, &is_manifest));
    if (!is_manifest)
        snprintf(removed + length, sizeof(removed) - length, "%s%llu.%llu%s", length > 0 ? " " : "",
                 (unsigned long long)parsed.timeline, (unsigned long long)parsed.offset,
                 parsed.kind == OBJECT_SNAPSHOT ? "r" : "");
    return true;
}

/* What is removed: "timeline.offset", with an r for an RDB. */
static const char *prune(const struct row *rows, size_t count, int64_t since)
{
    struct catalog_entry entries[ENTRIES_MAX] = {{.length = 0}};
    const struct catalog catalog = {.count = count, .entries = entries};
    struct error error;
    for (size_t i = 0; i < count; i++) {
        entries[i].name =
            (struct object_name){.timeline = rows[i].timeline,
                                 .offset = rows[i].offset,
                                 .kind = rows[i].end == 0 ? OBJECT_SNAPSHOT : OBJECT_SEGMENT};
        archive_system_make(&entries[i].name.system, 0, "00000000");
        entries[i].has_file = true;
        entries[i].has_manifest = !rows[i].has_no_manifest;
        entries[i].end = rows[i].end == 0 ? rows[i].offset : rows[i].end;
        entries[i].shipped_us = rows[i].moment;
        entries[i].root = (struct timeline_root){.begin = rows[i].begin, .parent = rows[i].parent};
    }
    removed[0] = '\0';
    assert_true(archive_prune(&catalog, since, note_removed, NULL, &error));
    return removed;
}

#define PRUNE(since, ...)                                                                          \
    prune((const struct row[]){__VA_ARGS__},                                                       \
          sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row), since)

#define ONE_TIMELINE                                                                               \
    {1, 0, 0, 10, 0, 0, false}, {1, 0, 100, 20, 0, 0, false}, {1, 100, 200, 30, 0, 0, false},      \
        {1, 150, 0, 30, 0, 0, false},                                                              \
    {                                                                                              \
        1, 200, 300, 40, 0, 0, false                                                               \
    }

TEST(what_is_before_the_newest_rdb_before_the_time_goes)
{
    assert_string_equal(PRUNE(5, ONE_TIMELINE), "");
    assert_string_equal(PRUNE(29, ONE_TIMELINE), "");
    assert_string_equal(PRUNE(30, ONE_TIMELINE), "1.0r 1.0");
    assert_string_equal(PRUNE(1000, ONE_TIMELINE), "1.0r 1.0"); /* the newest timeline stays */
}

TEST(without_an_rdb_all_stays)
{
    assert_string_equal(PRUNE(1000, {1, 0, 100, 20, 0, 0, false}, {1, 100, 200, 30, 0, 0, false}),
                        "");
}

/* Timeline 2 goes on behind offset 150 of timeline 1. */
#define BRANCH(moment)                                                                             \
    {1, 0, 0, 10, 0, 0, false}, {1, 0, 100, 20, 0, 0, false}, {1, 100, 200, 30, 0, 0, false},      \
        {1, 200, 300, 40, 0, 0, false},                                                            \
    {                                                                                              \
        2, 150, 250, moment, 1, 150, false                                                         \
    }

TEST(what_a_timeline_has_of_its_parent_stays)
{
    assert_string_equal(PRUNE(20, BRANCH(50)), "");
    assert_string_equal(PRUNE(45, BRANCH(50)), "1.200"); /* the lost branch is over */
    assert_string_equal(PRUNE(1000, BRANCH(50)), "1.200");
}

TEST(a_timeline_that_is_over_goes)
{
#define TWO                                                                                        \
    {1, 0, 0, 10, 0, 0, false}, {1, 0, 100, 20, 0, 0, false}, {2, 500, 0, 50, 0, 500, false},      \
        {2, 500, 600, 60, 0, 500, false}
    assert_string_equal(PRUNE(15, TWO), "");
    assert_string_equal(PRUNE(21, TWO), "1.0r 1.0");
}

TEST(a_file_without_a_manifest_goes_when_others_have_come_behind_it)
{
    assert_string_equal(PRUNE(1, {1, 0, 0, 10, 0, 0, false}, {1, 0, 100, 20, 0, 0, true},
                              {1, 100, 200, 30, 0, 0, false}, {1, 200, 300, 40, 0, 0, true}),
                        "1.0");
}
