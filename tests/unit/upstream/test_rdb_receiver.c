/* SPDX-License-Identifier: MIT
 *
 * An RDB with its framing, cut at every place, into a real snapshot.
 */
#include "../../../relay/upstream/rdb_receiver.h"

#include <unistd.h>

#include "../../../relay/upstream/handshake.h"
#include "fake_clock.h"
#include "relay/base/crc64.h"
#include "relay/codec/compressor.h"
#include "temp_store.h"
#include "test.h"

#define ID "8e7f0123456789abcdef0123456789abcdef0123"
#define MARK "0123456789abcdefghij0123456789ABCDEFGHIJ"

enum { X = 4711, RDB_BODY = 70, WIRE_MAX = 4096 };

static struct temp_store temp;
static struct text wire; /* header, RDB, mark */
static struct text rdb;
static struct text why;
static struct rdb_receiver rdb_receiver;
static struct snapshot *snapshot;
static enum rdb_receiver_result result;
static size_t left; /* bytes that the last piece had behind the RDB */

static int begin(void **state)
{
    (void)state;
    temp_store_open(&temp);
    temp_store_fill(&temp, ID, X);
    text_init(&wire, WIRE_MAX);
    text_init(&rdb, WIRE_MAX);
    text_init(&why, 512);
    return 0;
}

static int end(void **state)
{
    (void)state;
    text_fini(&wire);
    text_fini(&rdb);
    text_fini(&why);
    rdb_receiver_end(&rdb_receiver);
    temp_store_close(&temp);
    return 0;
}

#define RECEIVER_TEST(name) TEST_SETUP(name, begin, end)

static void begin_rdb_receiver(void *context)
{
    (void)context;
    text_clear(&why);
    snapshot = history_begin_snapshot(store_current(temp.store), X + 1, &why);
    assert_non_null(snapshot);
    rdb_receiver_begin(&rdb_receiver, snapshot);
    result = RDB_RECEIVER_MORE;
}

static void feed(void *context, struct bytes piece)
{
    (void)context;
    uint8_t *copy = malloc(piece.length + 1);
    assert_non_null(copy);
    if (piece.length > 0)
        memcpy(copy, piece.data, piece.length);
    struct bytes input = bytes_at(copy, piece.length);
    if (result == RDB_RECEIVER_MORE)
        result = rdb_receiver_feed(&rdb_receiver, &input, &why);
    left = input.length;
    free(copy);
}

/* The file has the RDB and not a byte of its framing; the store can prove it. */
static void end_rdb_receiver(void *context)
{
    (void)context;
    uint8_t file[WIRE_MAX];
    assert_int_equal(result, RDB_RECEIVER_DONE);
    assert_int_equal(snapshot_received(snapshot), rdb.length);
    ssize_t length = pread(snapshot_file(snapshot), file, sizeof(file), 0);
    assert_int_equal(length, rdb.length);
    assert_views_equal(bytes_at(file, (size_t)length), text_bytes(&rdb));
    assert_int_equal(history_complete_snapshot(store_current(temp.store), &why), DISK_STEP_DONE);
}

RECEIVER_TEST(with_a_length_and_the_stream_behind_it)
{
    temp_store_rdb(&rdb, RDB_BODY);
    text_append_string(&wire, "\n\n");
    payload_format_length(&wire, rdb.length);
    text_append(&wire, text_bytes(&rdb));
    each_split(text_bytes(&wire), begin_rdb_receiver, feed, end_rdb_receiver, NULL);
    assert_false(rdb_receiver_had_mark(&rdb_receiver));

    text_append_string(&wire, "*1\r\n$4\r\nPING\r\n");
    begin_rdb_receiver(NULL);
    feed(NULL, text_bytes(&wire));
    end_rdb_receiver(NULL);
    assert_int_equal(left, strlen("*1\r\n$4\r\nPING\r\n"));
    uint64_t length;
    assert_true(snapshot_length(history_snapshot(store_current(temp.store)), &length));
    assert_int_equal(length, rdb.length);
}

RECEIVER_TEST(with_a_mark)
{
    temp_store_rdb(&rdb, RDB_BODY);
    payload_format_mark(&wire, MARK);
    text_append(&wire, text_bytes(&rdb));
    text_append_string(&wire, MARK);
    each_split(text_bytes(&wire), begin_rdb_receiver, feed, end_rdb_receiver, NULL);
    assert_true(rdb_receiver_had_mark(&rdb_receiver));
}

RECEIVER_TEST(the_length_is_known_as_soon_as_it_is_announced)
{
    uint64_t length;
    begin_rdb_receiver(NULL);
    feed(NULL, bytes_of("$88"));
    assert_false(snapshot_length(snapshot, &length));
    feed(NULL, bytes_of("00\r\n"));
    assert_true(snapshot_length(snapshot, &length));
    assert_int_equal(length, 8800);
    assert_int_equal(result, RDB_RECEIVER_MORE);
}

RECEIVER_TEST(an_error_instead)
{
    begin_rdb_receiver(NULL);
    feed(NULL, bytes_of("\n-ERR BGSAVE failed, replication can't continue\r\n"));
    assert_int_equal(result, RDB_RECEIVER_FAILED);
    assert_string_equal(text_string(&why), "the primary sent no RDB but: -ERR BGSAVE failed, "
                                           "replication can't continue");
}

RECEIVER_TEST(an_rdb_of_no_bytes)
{
    begin_rdb_receiver(NULL);
    feed(NULL, bytes_of("$0\r\n*1\r\n"));
    assert_int_equal(result, RDB_RECEIVER_DONE);
    assert_int_equal(left, 4);
    assert_int_equal(history_complete_snapshot(store_current(temp.store), &why), DISK_STEP_FAILED);
    assert_string_equal(text_string(&why),
                        "this is no RDB: it does not begin with REDIS or VALKEY");
}

RECEIVER_TEST(a_disk_that_refuses)
{
    begin_rdb_receiver(NULL);
    temp_store_refuse(true);
    feed(NULL, bytes_of("$100\r\nREDIS0011"));
    temp_store_refuse(false);
    assert_int_equal(result, RDB_RECEIVER_FAILED);
    assert_string_equal(text_string(&why), "4712.rdb.part: cannot write: File too large");
}

/* ------------------------------------------------------------------ compressed (docs/protocol.md 7.5) */

static struct handshake compressing;
static struct compression_use use;

static void begin_compressed(void *context)
{
    begin_rdb_receiver(context);
    use = (struct compression_use){.faults = 0};
    rdb_receiver_decompress(&rdb_receiver, &compressing, &use, false);
}

static void feed_compressed(void *context, struct bytes piece)
{
    (void)context;
    uint8_t *copy = malloc(piece.length + 1);
    assert_non_null(copy);
    if (piece.length > 0)
        memcpy(copy, piece.data, piece.length);
    struct bytes input = bytes_at(copy, piece.length);
    while (result == RDB_RECEIVER_MORE && input.length > 0) {
        result = rdb_receiver_feed(&rdb_receiver, &input, &why);
        while (result == RDB_RECEIVER_BUSY)
            result = rdb_receiver_feed(&rdb_receiver, &input, &why);
        assert_true(result != RDB_RECEIVER_MORE || !rdb_receiver_has_more(&rdb_receiver));
    }
    left = input.length;
    free(copy);
}

static void end_compressed(void *context)
{
    if (result == RDB_RECEIVER_FAILED)
        fail_msg("%s", text_string(&why));
    end_rdb_receiver(context);
    assert_true(snapshot_is_verified(history_snapshot(store_current(temp.store))));
}

/* The RDB as a Valkey sends it: compressed, its own CRC-64 switched off. */
static void compress_rdb(enum codec codec, struct text *out)
{
    uint8_t part[COMPRESSOR_PART_MAX * 2];
    size_t length;
    struct compressor *compressor = compressor_new((struct compression){codec, 1});
    assert_non_null(compressor);
    memset(rdb.data + rdb.length - 8, 0, 8);
    assert_true(compressor_begin(compressor, part, &length));
    text_append(out, bytes_at(part, length));
    for (struct bytes rest = text_bytes(&rdb); rest.length > 0;) {
        struct bytes piece = bytes_first(rest, rest.length < 1000 ? rest.length : 1000);
        assert_true(compressor_add(compressor, piece, part, &length));
        text_append(out, bytes_at(part, length));
        rest = bytes_skip(rest, piece.length);
    }
    assert_true(compressor_end(compressor, part, &length));
    text_append(out, bytes_at(part, length));
    compressor_free(&compressor);
    /* What is to be stored has it. */
    uint64_t crc = crc64(0, (const uint8_t *)rdb.data, rdb.length - 8);
    for (unsigned i = 0; i < 8; i++)
        rdb.data[rdb.length - 8 + i] = (char)(crc >> (8 * i));
}

RECEIVER_TEST(a_compressed_rdb_is_stored_plain_with_its_crc)
{
    for (int codec = CODEC_LZ4; codec <= CODEC_ZSTD; codec++) {
        struct text compressed;
        if (!codec_is_built((enum codec)codec))
            continue;
        text_init(&compressed, WIRE_MAX);
        text_clear(&rdb);
        temp_store_rdb(&rdb, RDB_BODY);
        compress_rdb((enum codec)codec, &compressed);
        compressing.asked.codec = (enum codec)codec;

        text_clear(&wire);
        payload_format_mark(&wire, MARK);
        text_append(&wire, text_bytes(&compressed));
        text_append_string(&wire, MARK);
        each_split(text_bytes(&wire), begin_compressed, feed_compressed, end_compressed, NULL);

        text_clear(&wire);
        payload_format_length(&wire, compressed.length);
        text_append(&wire, text_bytes(&compressed));
        each_split(text_bytes(&wire), begin_compressed, feed_compressed, end_compressed, NULL);
        assert_int_equal(use.wire_bytes, compressed.length);
        assert_int_equal(use.plain_bytes, rdb.length);
        text_fini(&compressed);
    }
}

RECEIVER_TEST(a_plain_rdb_where_a_compressed_one_was_asked_for)
{
    compressing.asked.codec = CODEC_LZ4;
    temp_store_rdb(&rdb, RDB_BODY);
    payload_format_length(&wire, rdb.length);
    text_append(&wire, text_bytes(&rdb));
    each_split(text_bytes(&wire), begin_compressed, feed_compressed, end_compressed, NULL);
    uint64_t length;
    assert_true(snapshot_length(history_snapshot(store_current(temp.store)), &length));
    assert_int_equal(use.plain_bytes, 0);
}

RECEIVER_TEST(a_compressed_rdb_that_ends_early_or_is_damaged_is_refused)
{
    struct text compressed;
    if (!codec_is_built(CODEC_ZSTD))
        return;
    text_init(&compressed, WIRE_MAX);
    temp_store_rdb(&rdb, RDB_BODY);
    compress_rdb(CODEC_ZSTD, &compressed);
    compressing.asked.codec = CODEC_ZSTD;
    for (size_t length = 1; length < compressed.length; length++) {
        text_clear(&wire);
        payload_format_length(&wire, length);
        text_append(&wire, bytes_first(text_bytes(&compressed), length));
        begin_compressed(NULL);
        feed_compressed(NULL, text_bytes(&wire));
        assert_int_equal(result, RDB_RECEIVER_FAILED);
        assert_true(rdb_receiver.is_garbled);
        history_fail_snapshot(store_current(temp.store));
    }
    for (size_t at = 7; at < compressed.length; at++) {
        compressed.data[at] = (char)(compressed.data[at] ^ 0x55);
        text_clear(&wire);
        payload_format_length(&wire, compressed.length);
        text_append(&wire, text_bytes(&compressed));
        begin_compressed(NULL);
        feed_compressed(NULL, text_bytes(&wire));
        if (result == RDB_RECEIVER_DONE) /* a larger window is the same RDB */
            end_compressed(NULL);
        else
            history_fail_snapshot(store_current(temp.store));
        compressed.data[at] = (char)(compressed.data[at] ^ 0x55);
    }
    text_fini(&compressed);
}
