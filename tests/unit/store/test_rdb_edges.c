/* SPDX-License-Identifier: MIT
 *
 * The edges of an RDB are the same in whatever pieces it comes, and when they are read from its file.
 */
#include "../../../relay/store/rdb_edges.h"

#include <unistd.h>

#include "place.h"
#include "rdb.h"

enum { LENGTH = 40 };

static struct rdb rdb;

static int set_up(void **state)
{
    (void)state;
    rdb = rdb_make(LENGTH, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rdb_free(&rdb);
    return 0;
}

TEST_GROUP(set_up, tear_down);

static struct rdb_edges edges_of(size_t length)
{
    struct rdb_edges edges = {.magic = {0}};
    rdb_edges_feed(&edges, 0, bytes_first(rdb_bytes(&rdb), length));
    return edges;
}

TEST(every_split_at_two_bytes)
{
    const struct rdb_edges whole = edges_of(LENGTH);
    assert_memory_equal(whole.magic, rdb.data, RDB_EDGES_MAGIC_LENGTH);
    assert_memory_equal(whole.ending, rdb.data + LENGTH - RDB_ENDING_LENGTH, RDB_ENDING_LENGTH);
    for (size_t first = 0; first <= LENGTH; first++) {
        for (size_t second = first; second <= LENGTH; second++) {
            struct bytes all = rdb_bytes(&rdb);
            struct rdb_edges edges = edges_of(first);
            rdb_edges_feed(&edges, first, bytes_skip(bytes_first(all, second), first));
            rdb_edges_feed(&edges, second, bytes_skip(all, second));
            assert_memory_equal(&edges, &whole, sizeof(edges));
        }
    }
}

TEST(a_file_has_those_of_its_first_bytes)
{
    struct place place;
    struct error error;
    char path[PLACE_PATH_MAX];
    place_init(&place);
    place_write(&place, "rdb", rdb_bytes(&rdb));
    int file = open(place_path(&place, "rdb", path), O_RDONLY);
    for (size_t length = RDB_EDGES_MAGIC_LENGTH + RDB_ENDING_LENGTH; length <= LENGTH; length++) {
        const struct rdb_edges expected = edges_of(length);
        struct rdb_edges edges = {.magic = {0}};
        assert_true(rdb_edges_read(&edges, file, length, &error));
        assert_memory_equal(&edges, &expected, sizeof(edges));
    }
    struct rdb_edges edges = {.magic = {0}};
    assert_false(rdb_edges_read(&edges, file, LENGTH + 1, &error));
    assert_int_equal(error.kind, ERROR_DAMAGED);
    assert_false(rdb_edges_read(&edges, -1, LENGTH, &error));
    assert_int_equal(error.number, EBADF);
    close(file);
    place_fini(&place);
}

TEST(an_rdb_begins_and_ends_as_one)
{
    struct error error;
    struct rdb_edges edges = edges_of(LENGTH);
    assert_true(rdb_edges_are_whole(&edges, LENGTH, &error));
    assert_true(rdb_edges_have_checksum(&edges));
    assert_false(
        rdb_edges_are_whole(&edges, RDB_EDGES_MAGIC_LENGTH + RDB_ENDING_LENGTH - 1, &error));
    edges = edges_of(LENGTH - 1);
    assert_false(rdb_edges_are_whole(&edges, LENGTH - 1, &error));
    assert_int_equal(error.kind, ERROR_DAMAGED);
    memset(rdb.data + LENGTH - RDB_FOOTER_LENGTH, 0, RDB_FOOTER_LENGTH);
    edges = edges_of(LENGTH);
    assert_true(rdb_edges_are_whole(&edges, LENGTH, &error));
    assert_false(rdb_edges_have_checksum(&edges));
    memset(rdb.data, 0, LENGTH);
    edges = edges_of(LENGTH);
    assert_false(rdb_edges_are_whole(&edges, LENGTH, &error));
}
