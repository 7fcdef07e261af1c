/* SPDX-License-Identifier: MIT
 *
 * A replica that takes it compressed: RDB and stream behind their envelopes, the first ACK in between, and a
 * connection that takes a few bytes at a time.
 */
#include "../../../relay/downstream/piece_cache.h"

#include "relay/base/text.h"
#include "relay/codec/decompressor.h"
#include "replica_stage.h"

static const char rdb[] = "REDIS0011 and what an RDB has, what an RDB has, what an RDB has";

static void on_due(int64_t delay_ms, void *arg)
{
    (void)delay_ms;
    (void)arg;
}

static int set_up(void **state)
{
    stage_set_up(state);
    stage.codec = (struct replica_codec){{CODEC_ZSTD, 1}, true};
    stage.cache = piece_cache_new(stage.codec.compression, 0, on_due, NULL);
    assert_non_null(stage.cache);
    return 0;
}

static int tear_down(void **state)
{
    struct piece_cache *cache = stage.cache;
    int result = stage_tear_down(state);
    piece_cache_free(&cache);
    return result;
}

#define COMPRESSED_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void expect_plain(struct bytes wire, enum envelope_kind kind, const char *expected)
{
    uint8_t out[4096];
    struct text why;
    const struct decompressor_options options = {.kind = kind};
    struct decompressor *decompressor = decompressor_new(&options);
    assert_non_null(decompressor);
    text_init(&why, 200);
    size_t produced;
    if (!decompressor_feed(decompressor, &wire, out, sizeof(out), &produced, &why))
        fail_msg("%s", text_string(&why));
    assert_view(bytes_at(out, produced), expected);
    assert_int_equal(decompressor_codec(decompressor), CODEC_ZSTD);
    if (kind == ENVELOPE_RDB)
        assert_true(decompressor_has_ended(decompressor));
    decompressor_free(&decompressor);
    text_fini(&why);
}

/* "+OK +FULLRESYNC ... $EOF:<mark> ... <mark>": the RDB between the marks. */
static void expect_rdb(void)
{
    struct bytes sent = fake_conn_sent(stage.peer);
    size_t at = 0;
    while (!bytes_starts(bytes_skip(sent, at), "$EOF:"))
        at++;
    struct bytes mark = bytes_first(bytes_skip(sent, at + 5), PAYLOAD_MARK_LENGTH);
    struct bytes body = bytes_skip(sent, at + 5 + PAYLOAD_MARK_LENGTH + 2);
    assert_views_equal(bytes_skip(body, body.length - PAYLOAD_MARK_LENGTH), mark);
    expect_plain(bytes_first(body, body.length - PAYLOAD_MARK_LENGTH), ENVELOPE_RDB, rdb);
    fake_conn_forget_sent(stage.peer);
}

COMPRESSED_TEST(an_rdb_has_an_end_mark_and_the_stream_comes_behind_the_first_ack)
{
    stage_have_whole_snapshot(rdb);
    stage_append("stream, stream, stream");
    stage_attach(ASK_PSYNC, 0);
    expect_rdb();
    stage_expect_state(REPLICA_LOADING);
    stage_hear("REPLCONF ACK 100\r\n");
    stage_expect_state(REPLICA_STREAMING);
    expect_plain(fake_conn_sent(stage.peer), ENVELOPE_STREAM, "stream, stream, stream");
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, sent_offset), STAGE_X + 22);
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, uncompressed_bytes), strlen(rdb) + 22);
    /* The envelope comes once. */
    stage_append(" and more of it");
    stage_wake();
    expect_plain(fake_conn_sent(stage.peer), ENVELOPE_STREAM,
                 "stream, stream, stream and more of it");
    stage_hear("REPLCONF ACK 137\r\n");
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), 137);
}

COMPRESSED_TEST(an_idle_stream_shows_nothing)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    stage_expect_sent("+OK\r\n+CONTINUE " STAGE_ID "\r\n");
    stage_append("PING");
    stage_wake();
    expect_plain(fake_conn_sent(stage.peer), ENVELOPE_STREAM, "PING");
}

COMPRESSED_TEST(a_connection_that_takes_a_byte_at_a_time)
{
    stage_have_whole_snapshot(rdb);
    stage_append("stream, stream, stream");
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    fake_conn_set_send_max(stage.peer, 1);
    stage_answer(ASK_PSYNC);
    fake_conn_run(stage.peer);
    expect_rdb();
    stage_hear("REPLCONF ACK 100\r\n");
    expect_plain(fake_conn_sent(stage.peer), ENVELOPE_STREAM, "stream, stream, stream");
}

/* What is behind in an RDB that arrives is compressed as it comes. */
COMPRESSED_TEST(an_rdb_that_arrives)
{
    stage_have_snapshot(rdb);
    fake_snapshot_set_readable(stage.snapshot, 5);
    stage_attach(ASK_PSYNC, 0);
    for (size_t readable = 6; readable < strlen(rdb); readable += 7) {
        fake_snapshot_set_readable(stage.snapshot, readable);
        stage_wake();
    }
    stage_expect_state(REPLICA_LOADING);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    expect_rdb();
}

/* A new id ends the stream behind what is on its way, and not in the midst of it. */
COMPRESSED_TEST(a_new_id_does_not_cut_a_piece)
{
    stage_have_whole_snapshot(rdb);
    stage_append("stream, stream, stream");
    stage_attach(ASK_PSYNC, 0);
    expect_rdb();
    fake_conn_set_room(stage.peer, 10);
    stage_hear("REPLCONF ACK 100\r\n");
    assert_int_equal(fake_conn_sent(stage.peer).length, 10);
    fake_history_rename(stage.history, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    fake_history_set_fate(stage.history, CURSOR_RENAMED);
    replica_rename(stage.replica, STAGE_X + 22);
    if (!stage.gone) {
        fake_conn_set_room(stage.peer, SIZE_MAX);
        fake_conn_run(stage.peer);
        expect_plain(fake_conn_sent(stage.peer), ENVELOPE_STREAM, "stream, stream, stream");
    }
}

/* It says SYNC, or cannot take an end mark: its RDB is plain, and has a length. */
COMPRESSED_TEST(an_rdb_is_plain_where_there_can_be_no_mark)
{
    stage.terms.capa_eof = false;
    stage_have_whole_snapshot(rdb);
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    struct bytes sent = fake_conn_sent(stage.peer);
    struct text head;
    text_init(&head, 500);
    text_format(&head, "+OK\r\n+FULLRESYNC " STAGE_ID " 100\r\n$%zu\r\n%s", strlen(rdb), rdb);
    assert_views_equal(bytes_first(sent, head.length), text_bytes(&head));
    expect_plain(bytes_skip(sent, head.length), ENVELOPE_STREAM, "stream");
    text_fini(&head);
}

static int begin_if_built(void **state)
{
    (void)state;
    return codec_is_built(CODEC_ZSTD) ? 0 : -1;
}

TEST_GROUP(begin_if_built, NULL);
