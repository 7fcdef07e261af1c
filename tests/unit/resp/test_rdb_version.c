/* SPDX-License-Identifier: MIT */
#include "relay/resp/rdb_version.h"

#include "test.h"

static struct rdb_version rdb_of(const char *magic)
{
    struct rdb_version rdb;
    if (!rdb_version_parse(bytes_of(magic), &rdb))
        fail_msg("\"%s\" is no RDB", magic);
    return rdb;
}

static uint32_t version_of(const char *words)
{
    uint32_t version = 0;
    if (words[0] != '\0' && !server_version_parse(bytes_of(words), &version))
        fail_msg("\"%s\" is no version", words);
    return version;
}

TEST(a_magic_is_read_and_written)
{
    static const char *const good[] = {"REDIS0006", "REDIS0011", "REDIS0014", "VALKEY080",
                                       "VALKEY081"};
    for (size_t i = 0; i < LENGTH_OF(good); i++) {
        char out[RDB_MAGIC_LENGTH + 1];
        assert_string_equal(rdb_version_format(rdb_of(good[i]), out), good[i]);
    }
    struct rdb_version rdb = rdb_of("VALKEY080 and what follows");
    assert_true(rdb.is_valkey);
    assert_int_equal(rdb.number, 80);
    assert_true(rdb_version_equal(rdb, rdb_of("VALKEY080")));
    assert_false(rdb_version_equal(rdb, rdb_of("REDIS0080")));
}

TEST(what_is_no_magic_is_not_known)
{
    static const char *const bad[] = {"",          "REDIS001",  "REDIS00x1", "VALKEY08x",
                                      "redis0011", "REDIS0000", "VALKEY000", "MYSQL0011"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct rdb_version rdb;
        char out[RDB_MAGIC_LENGTH + 1];
        assert_false(rdb_version_parse(bytes_of(bad[i]), &rdb));
        assert_string_equal(rdb_version_format(rdb, out), "?");
        assert_int_equal(rdb_version_reading(rdb, version_of("8.1.0")), RDB_UNKNOWN);
        assert_int_equal(rdb_version_needs(rdb), 0);
    }
}

TEST(a_version_is_read_and_written)
{
    static const char *const good[] = {"7.2.0", "8.1.3", "9.0.0", "255.255.255"};
    uint32_t before = 0;
    for (size_t i = 0; i < LENGTH_OF(good); i++) {
        char out[SERVER_VERSION_MAX];
        uint32_t version = version_of(good[i]);
        assert_string_equal(server_version_format(version, out), good[i]);
        assert_true(version > before);
        before = version;
    }
    assert_int_equal(version_of("9.1.0"), SERVER_VERSION_CHOOSES);
    assert_int_equal(version_of("9.0.0-rc2"), version_of("9.0.0"));
    static const char *const bad[] = {"",        "8",       "8.1",   "8.1.",   ".8.1",    "8.1.0.0",
                                      "8.1.256", "a.b.c",   "8.1.x", "8. 1.0", "-8.1.0",  "8.1-0",
                                      "0.0.0",   "8.1.0 x", "8..0",  "v8.1.0", "999.0.0", "-"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        uint32_t version;
        assert_false(server_version_parse(bytes_of(bad[i]), &version));
    }
}

TEST(who_can_read_what)
{
    static const struct {
        const char *magic;
        const char *version;
        enum rdb_reading reading;
    } rows[] = {
        {"REDIS0009", "8.0.1", RDB_READABLE},    {"REDIS0011", "8.0.1", RDB_READABLE},
        {"REDIS0011", "8.1.6", RDB_READABLE},    {"REDIS0011", "9.0.0", RDB_READABLE},
        {"REDIS0011", "9.2.0", RDB_READABLE},    {"REDIS0011", "7.2.0", RDB_READABLE},
        {"REDIS0011", "7.0.15", RDB_UNREADABLE}, {"REDIS0010", "7.0.15", RDB_READABLE},
        {"REDIS0010", "6.2.14", RDB_UNREADABLE}, {"REDIS0012", "8.1.0", RDB_UNREADABLE},
        {"REDIS0012", "9.0.0", RDB_UNREADABLE},  {"REDIS0014", "9.2.0", RDB_UNREADABLE},
        {"VALKEY080", "7.2.0", RDB_UNREADABLE},  {"VALKEY080", "8.1.6", RDB_UNREADABLE},
        {"VALKEY080", "9.0.0", RDB_READABLE},    {"VALKEY080", "9.1.0", RDB_READABLE},
        {"VALKEY081", "9.1.9", RDB_UNREADABLE},  {"VALKEY081", "9.2.0", RDB_READABLE},
        {"VALKEY082", "9.1.0", RDB_UNREADABLE},  {"VALKEY082", "9.2.0", RDB_UNKNOWN},
        {"VALKEY082", "10.0.0", RDB_UNKNOWN},    {"VALKEY081", "10.0.0", RDB_READABLE},
        {"VALKEY080", "", RDB_UNKNOWN},          {"REDIS0011", "3.2.0", RDB_UNKNOWN},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        enum rdb_reading reading =
            rdb_version_reading(rdb_of(rows[i].magic), version_of(rows[i].version));
        if (reading != rows[i].reading)
            fail_msg("%s by %s: got %d, expected %d", rows[i].magic, rows[i].version, (int)reading,
                     (int)rows[i].reading);
    }
}

TEST(what_is_to_be_announced_for_a_format)
{
    assert_int_equal(rdb_version_needs(rdb_of("REDIS0011")), version_of("7.2.0"));
    assert_int_equal(rdb_version_needs(rdb_of("VALKEY080")), version_of("9.0.0"));
    assert_int_equal(rdb_version_needs(rdb_of("VALKEY081")), version_of("9.2.0"));
    assert_int_equal(rdb_version_needs(rdb_of("REDIS0012")), 0);
    assert_int_equal(rdb_version_needs(rdb_of("VALKEY099")), 0);
    /* Who announces it can read it. */
    static const char *const magic[] = {"REDIS0006", "REDIS0010", "VALKEY080", "VALKEY081"};
    for (size_t i = 0; i < LENGTH_OF(magic); i++) {
        struct rdb_version rdb = rdb_of(magic[i]);
        uint32_t needed = rdb_version_needs(rdb);
        assert_int_equal(rdb_version_reading(rdb, needed), RDB_READABLE);
        assert_false(rdb_version_reading(rdb, needed - 1) == RDB_READABLE);
    }
}

TEST(readers_are_named)
{
    assert_string_equal(rdb_version_readers(rdb_of("REDIS0011")),
                        "Redis 7.2 and later, and every Valkey");
    assert_string_equal(rdb_version_readers(rdb_of("VALKEY080")), "Valkey 9.0 and later");
    assert_string_equal(rdb_version_readers(rdb_of("REDIS0012")),
                        "Redis 7.4 and later, and no Valkey");
    assert_string_equal(rdb_version_readers(rdb_of("REDIS0099")), "a newer Redis, and no Valkey");
    assert_string_equal(rdb_version_readers(rdb_of("VALKEY099")), "a newer Valkey");
}
