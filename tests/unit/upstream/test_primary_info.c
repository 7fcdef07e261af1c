/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/primary_info.h"

#include "test.h"

#define A "8e7f0123456789abcdef0123456789abcdef0123"
#define B "51ab0123456789abcdef0123456789abcdef0123"
#define NONE "0000000000000000000000000000000000000000"

static struct primary_info read_all(const char *section)
{
    struct primary_info info;
    primary_info_init(&info);
    primary_info_read(&info, bytes_of(section));
    return info;
}

static struct replid id_of(const char *hex)
{
    struct replid id;
    assert_true(replid_parse(bytes_of(hex), &id));
    return id;
}

TEST(nothing_is_known_at_first)
{
    struct primary_info info = read_all("");
    struct replid a = id_of(A);
    assert_string_equal(info.server_version, "");
    assert_string_equal(info.valkey_version, "");
    assert_string_equal(info.run_id, "");
    assert_false(info.has_role);
    assert_string_equal(info.replid.hex, NONE);
    assert_string_equal(info.replid2.hex, NONE);
    assert_true(primary_info_knows(&info, &a));
    assert_int_equal(primary_info_common(&info, &a, 4711), 4711);
}

TEST(a_primary)
{
    struct primary_info info = read_all("# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\n"
                                        "valkey_version:8.0.1\r\nrun_id:" A "\r\n"
                                        "# Replication\r\nrole:master\r\nconnected_slaves:1\r\n"
                                        "slave0:ip=192.0.2.7,port=1,state=online,offset=5,lag=0\r\n"
                                        "master_failover_state:no-failover\r\n"
                                        "master_replid:" B "\r\nmaster_replid2:" A "\r\n"
                                        "master_repl_offset:9000\r\nsecond_repl_offset:4712\r\n");
    assert_string_equal(info.server_version, "7.2.4");
    assert_string_equal(info.valkey_version, "8.0.1");
    assert_string_equal(info.run_id, A);
    assert_true(info.has_role);
    assert_true(info.is_primary);
    assert_string_equal(info.replid.hex, B);
    assert_string_equal(info.replid2.hex, A);
    assert_int_equal(info.second_offset, 4711);
}

TEST(a_replica)
{
    struct primary_info info =
        read_all("role:slave\r\nmaster_host:db.example\r\nmaster_port:6390\r\n"
                 "master_link_status:up\r\n");
    assert_true(info.has_role);
    assert_false(info.is_primary);
    assert_string_equal(info.primary.host, "db.example");
    assert_int_equal(info.primary.port, 6390);
}

/* Lines come one by one, and what one does not tell another has told. */
TEST(line_by_line)
{
    struct primary_info info = read_all("role:master\r");
    primary_info_read(&info, bytes_of("master_replid:" A "\r"));
    primary_info_read(&info, bytes_of("\r"));
    primary_info_read(&info, bytes_of("master_replid2:" B));
    primary_info_read(&info, bytes_of("second_repl_offset:1\r"));
    assert_true(info.is_primary);
    assert_string_equal(info.replid.hex, A);
    assert_string_equal(info.replid2.hex, B);
    assert_int_equal(info.second_offset, 0);
}

TEST(nonsense_is_not_known)
{
    struct primary_info info =
        read_all("run_id:short\r\nmaster_replid:" A "0\r\nmaster_replid2:\r\n"
                 "second_repl_offset:-1\r\nmaster_port:70000\r\nrole:\r\n"
                 " role:master\r\nx_master_replid:" A "\r\nmaster_replid:zz\r\n:\r\n\r\n\n\n");
    assert_string_equal(info.run_id, "");
    assert_string_equal(info.replid.hex, NONE);
    assert_string_equal(info.replid2.hex, NONE);
    assert_int_equal(info.second_offset, 0);
    assert_int_equal(info.primary.port, 0);
    assert_true(info.has_role);
    assert_false(info.is_primary);
    info = read_all("second_repl_offset:99999999999999999999\r\n");
    assert_int_equal(info.second_offset, 0);
}

TEST(what_is_too_long_is_cut)
{
    char line[1000] = "master_host:";
    memset(line + strlen(line), 'h', 900);
    struct primary_info info = read_all(line);
    assert_int_equal(strlen(info.primary.host), PRIMARY_HOST_MAX - 1);
}

/* Every pair of ids that a server may have, every second offset, every offset of ours. */
TEST(the_common_part_of_all_pairs)
{
    static const char *const ids[] = {NONE, A, B};
    enum { OFFSETS = 5 };
    struct replid ours = id_of(A);
    for (size_t first = 0; first < LENGTH_OF(ids); first++) {
        for (size_t second = 0; second < LENGTH_OF(ids); second++) {
            for (unsigned cell = 0; cell < OFFSETS * OFFSETS; cell++) {
                struct primary_info info;
                uint64_t offset = cell % OFFSETS;
                primary_info_init(&info);
                info.replid = id_of(ids[first]);
                info.replid2 = id_of(ids[second]);
                info.second_offset = cell / OFFSETS;
                bool parted = first == 2 && second == 1;
                uint64_t expected =
                    parted && info.second_offset < offset ? info.second_offset : offset;
                assert_int_equal(primary_info_common(&info, &ours, offset), expected);
                assert_int_equal(primary_info_knows(&info, &ours),
                                 first == 0 || first == 1 || second == 1);
            }
        }
    }
}

TEST(a_relay_and_who_is_above_it)
{
    struct primary_info info = read_all(
        "uptime_in_seconds:4711\r\nrole:slave\r\nmaster_link_status:up\r\n"
        "upstream_chain:" A "," B "\r\nupstream_chain_complete:1\r\nmaster_repl_offset:9000\r\n");
    assert_int_equal(info.uptime_s, 4711);
    assert_true(info.link_is_up);
    assert_int_equal(info.offset, 9000);
    assert_int_equal(info.chain.count, 2);
    assert_true(info.chain.is_complete);
    assert_true(run_id_chain_has(&info.chain, A));
    assert_true(run_id_chain_has(&info.chain, B));
    assert_false(run_id_chain_has(&info.chain, NONE));
    info = read_all("upstream_chain_complete:1\r\nupstream_chain:" A ",nonsense\r\n"
                    "master_link_status:down\r\nmaster_repl_offset:-7\r\nuptime_in_seconds:x\r\n");
    assert_int_equal(info.chain.count, 0);
    assert_false(info.link_is_up);
    assert_int_equal(info.offset, 0);
    assert_int_equal(info.uptime_s, 0);
}

TEST(keys)
{
    assert_false(read_all("# Keyspace\r\n").has_keys);
    assert_false(read_all("db0:keys=0,expires=0\r\n").has_keys);
    assert_true(read_all("db0:keys=0,expires=0\r\ndb12:keys=1,expires=0\r\n").has_keys);
}
