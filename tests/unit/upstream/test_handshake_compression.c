/* SPDX-License-Identifier: MIT
 *
 * The handshake with servers that compress, and with those that do not, when we ask for it.
 */
#include "dialogue.h"

#define COMPRESSION(length, level)                                                                 \
    "*3\r\n$8\r\nREPLCONF\r\n$11\r\ncompression\r\n$" length "\r\n" level "\r\n"
#define CAPA_LZ4                                                                                   \
    "*7\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n$"           \
    "4\r\ncapa\r\n"                                                                                \
    "$3\r\nlz4\r\n"
#define CAPA_ZSTD                                                                                  \
    "*9\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n$"           \
    "4\r\ncapa\r\n"                                                                                \
    "$4\r\nzstd\r\n$4\r\ncapa\r\n$3\r\nlz4\r\n"
#define OTHER_LEVEL(level) "-ERR Requested level 1 differs from master's level: " level "\r\n"
#define FULL "+FULLRESYNC " ID " 7\r\n"

static const struct compression_use zstd_use = {.wanted = {CODEC_ZSTD, 1}};
static const struct compression_use lz4_use = {.wanted = {CODEC_LZ4, 1}};

static bool has_both_codecs(void)
{
    return codec_is_built(CODEC_LZ4) && codec_is_built(CODEC_ZSTD);
}

static void talk_compression(struct server *server, const struct compression_use *use,
                             int frames_level)
{
    if (!has_both_codecs())
        return;
    server->terms.compression = use;
    talk_all_ways(server);
    assert_int_equal(handshake.frames_level, frames_level);
}

SERVER(redis_compresses, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {COMPRESSION("1", "1"), "+OK\r\n"}, {CAPA_ZSTD, "+OK\r\n"}, {PSYNC_ALL, FULL});
SERVER(redis_has_another_level, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER},
       {PORT, "+OK\r\n"}, {COMPRESSION("1", "1"), OTHER_LEVEL("22")},
       {COMPRESSION("2", "22"), "+OK\r\n"}, {CAPA_ZSTD, "+OK\r\n"}, {PSYNC_ALL, FULL});
SERVER(redis_has_no_level, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {COMPRESSION("1", "1"), OTHER_LEVEL("0")}, {CAPA_ZSTD, "+OK\r\n"}, {PSYNC_ALL, FULL});
SERVER(redis_has_no_compression, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER},
       {PORT, "+OK\r\n"}, {COMPRESSION("1", "1"), UNKNOWN_OPTION}, {CAPA_ZSTD, "+OK\r\n"},
       {PSYNC_ALL, FULL});

HANDSHAKE_TEST(a_redis_is_asked_for_its_level)
{
    talk_compression(&redis_compresses, &zstd_use, 1);
    talk_compression(&redis_has_another_level, &zstd_use, 22);
    talk_compression(&redis_has_no_level, &zstd_use, 0);
    talk_compression(&redis_has_no_compression, &zstd_use, 0);
}

SERVER(valkey_zstd, {PING, "+PONG\r\n"}, {INFO, INFO_VALKEY}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {CAPA_ZSTD, "+OK\r\n"}, {PSYNC_ALL, FULL});
SERVER(valkey_lz4, {PING, "+PONG\r\n"}, {INFO, INFO_VALKEY}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {CAPA_LZ4, "+OK\r\n"}, {PSYNC_ALL, FULL});
SERVER(redis_lz4, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {CAPA_LZ4, "+OK\r\n"}, {PSYNC_ALL, FULL});

HANDSHAKE_TEST(a_valkey_is_told_the_codecs_that_we_can_take)
{
    talk_compression(&valkey_zstd, &zstd_use, 0);
    talk_compression(&valkey_lz4, &lz4_use, 0);
    talk_compression(&redis_lz4, &lz4_use, 0);
}

SERVER(redis_refresh, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {CAPA_ZSTD, "+OK\r\n"}, {RDB_ONLY, "+OK\r\n"}, {PSYNC_ALL, FULL});

HANDSHAKE_TEST(a_refresh_has_no_stream_that_a_redis_could_compress)
{
    redis_refresh.terms.rdb_only = true;
    talk_compression(&redis_refresh, &zstd_use, 0);
}
