/* SPDX-License-Identifier: MIT
 *
 * The vectors behind docs/protocol.md 7.5, made with liblz4 1.9.4 and libzstd 1.5.4, cut at every byte and into outputs of
 * every small size; and what must be refused.
 */
#include "relay/codec/decompressor.h"

#include "relay/base/text.h"
#include "test.h"

#define PING "*1\r\n$4\r\nPING\r\n"
#define SELECT "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define COMMANDS PING SELECT PING

/* Three writes, each flushed, as a Valkey does over TCP and over TLS. */
#define LZ4_STREAM "56435301010002"
#define LZ4_RDB "56435301010001"
#define ZSTD_STREAM "56435301020002"
#define ZSTD_RDB "56435301020001"
#define LZ4_TCP_BLOCKS                                                                             \
    "0e0000802a310d0a24340d0a50494e470d0a1c1adc86"                                                 \
    "170000802a320d0a24360d0a53454c4543540d0a24310d0a300d0a48cb6fb5"                               \
    "0900000005250050494e470d0ad0442c73"
#define LZ4_TLS_BLOCKS                                                                             \
    "0e0000802a310d0a24340d0a50494e470d0a"                                                         \
    "170000802a320d0a24360d0a53454c4543540d0a24310d0a300d0a"                                       \
    "0900000005250050494e470d0a"
#define ZSTD_EMPTY "28b52ffd2000010000"
#define ZSTD_EMPTY_SUM "28b52ffd240001000099e9d851"
#define ZSTD_PING "28b52ffd200e7100002a310d0a24340d0a50494e470d0a"
#define ZSTD_PING_SUM "28b52ffd240e7100002a310d0a24340d0a50494e470d0ae64f6d39"
#define ZSTD_SELECT "28b52ffd0048b900002a320d0a24360d0a53454c4543540d0a24310d0a300d0a"
#define ZSTD_SELECT_PING_SUM                                                                       \
    "28b52ffd0458b800002a320d0a24360d0a53454c4543540d0a24310d0a300d0a"                             \
    "7000002a310d0a24340d0a50494e470d0a0100006a5738da"

enum { WIRE_MAX = 4096, PLAIN_MAX = 1 << 20 };

static struct transfer {
    struct decompressor_options options;
    size_t capacity; /* of each output */
    struct decompressor *decompressor;
    struct text got;
    bool is_good;
    bool expects_good;
    enum codec codec;
    struct bytes plain;
    const char *why; /* a part of what is said */
} transfer;

static void begin(void *context)
{
    struct transfer *t = context;
    t->decompressor = decompressor_new(&t->options);
    assert_non_null(t->decompressor);
    text_init(&t->got, PLAIN_MAX);
    t->is_good = true;
}

static void feed(void *context, struct bytes piece)
{
    struct transfer *t = context;
    uint8_t out[PLAIN_MAX / 16];
    struct text why;
    text_init(&why, 200);
    for (size_t produced = 1; t->is_good && (piece.length > 0 || produced > 0);) {
        t->is_good = decompressor_feed(t->decompressor, &piece, out, t->capacity, &produced, &why);
        assert_in_range(produced, 0, t->capacity);
        if (t->is_good)
            text_append(&t->got, bytes_at(out, produced));
        else if (t->why != NULL)
            assert_non_null(strstr(text_string(&why), t->why));
    }
    text_fini(&why);
}

static void end(void *context)
{
    struct transfer *t = context;
    assert_int_equal(t->is_good, t->expects_good);
    if (t->expects_good) {
        assert_views_equal(text_bytes(&t->got), t->plain);
        if (t->plain.length > 0)
            assert_int_equal(decompressor_codec(t->decompressor), t->codec);
    }
    decompressor_free(&t->decompressor);
    text_fini(&t->got);
}

static struct bytes from_hex(const char *hex, uint8_t out[WIRE_MAX])
{
    size_t length = strlen(hex) / 2;
    assert_in_range(length, 0, WIRE_MAX);
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return bytes_at(out, length);
}

static void all_ways(struct bytes wire)
{
    static const size_t capacities[] = {1, 2, 3, 7, 14, 64, PLAIN_MAX / 16};
    for (size_t i = 0; i < LENGTH_OF(capacities); i++) {
        transfer.capacity = capacities[i];
        each_split(wire, begin, feed, end, &transfer);
        begin(&transfer);
        feed_pieces(wire, 1, feed, &transfer);
        end(&transfer);
    }
}

/* `frames`: zstd frames without an envelope were agreed on. */
static void gives(const char *hex, enum envelope_kind kind, bool frames, enum codec codec,
                  const char *plain)
{
    uint8_t wire[WIRE_MAX];
    if (!codec_is_built(codec))
        return;
    transfer = (struct transfer){
        .options = {.kind = kind, .expects_frames = frames},
        .expects_good = true,
        .codec = codec,
        .plain = bytes_of(plain),
    };
    all_ways(from_hex(hex, wire));
}

static void refuses(const char *hex, enum envelope_kind kind, bool frames, enum codec codec,
                    const char *why)
{
    uint8_t wire[WIRE_MAX];
    if (!codec_is_built(codec))
        return;
    transfer = (struct transfer){.options = {.kind = kind, .expects_frames = frames}, .why = why};
    all_ways(from_hex(hex, wire));
}

TEST(lz4_streams_of_valkey)
{
    gives(LZ4_STREAM "04224d185040c0" LZ4_TCP_BLOCKS, ENVELOPE_STREAM, false, CODEC_LZ4, COMMANDS);
    gives(LZ4_STREAM "04224d184040c0" LZ4_TLS_BLOCKS, ENVELOPE_STREAM, false, CODEC_LZ4, COMMANDS);
    gives(LZ4_STREAM "04224d185040c0", ENVELOPE_STREAM, false, CODEC_LZ4, "");
}

TEST(lz4_rdbs_of_valkey)
{
    gives(LZ4_RDB "04224d185440ae" LZ4_TCP_BLOCKS "0000000086d80980", ENVELOPE_RDB, false,
          CODEC_LZ4, COMMANDS);
    gives(LZ4_RDB "04224d184040c0" LZ4_TLS_BLOCKS "00000000", ENVELOPE_RDB, false, CODEC_LZ4,
          COMMANDS);
}

TEST(zstd_streams_of_valkey_are_any_number_of_frames)
{
    gives(ZSTD_STREAM ZSTD_PING_SUM ZSTD_SELECT_PING_SUM, ENVELOPE_STREAM, false, CODEC_ZSTD,
          COMMANDS);
    gives(ZSTD_STREAM ZSTD_EMPTY_SUM ZSTD_PING_SUM ZSTD_EMPTY_SUM ZSTD_EMPTY ZSTD_SELECT,
          ENVELOPE_STREAM, false, CODEC_ZSTD, PING SELECT);
}

TEST(zstd_frames_of_redis_have_no_envelope)
{
    gives(ZSTD_EMPTY ZSTD_PING ZSTD_EMPTY ZSTD_EMPTY ZSTD_SELECT ZSTD_PING, ENVELOPE_STREAM, true,
          CODEC_ZSTD, COMMANDS);
    gives(ZSTD_PING, ENVELOPE_STREAM, true, CODEC_ZSTD, PING);
}

/* Where no frames were agreed on, or a primary sends plain bytes all the same. */
TEST(a_payload_without_an_envelope_is_plain)
{
    static const char *const plain[] = {
        PING, ("\n\n" PING), "VALKEY080 and so on", "VCR", "(\xb5/", "(", "*"};
    for (size_t i = 0; i < LENGTH_OF(plain); i++) {
        for (int frames = 0; frames < 2; frames++) {
            transfer = (struct transfer){
                .options = {.kind = ENVELOPE_RDB, .expects_frames = frames != 0},
                .expects_good = true,
                .codec = CODEC_NONE,
                .plain = bytes_of(plain[i]),
            };
            /* These may still be the beginning of a frame. */
            if (frames != 0 && plain[i][0] == '(')
                continue;
            all_ways(transfer.plain);
        }
    }
}

TEST(frames_and_envelopes_that_are_none_are_refused)
{
    refuses("56435302010002", ENVELOPE_STREAM, false, CODEC_LZ4, "another version");
    refuses(LZ4_RDB, ENVELOPE_STREAM, false, CODEC_LZ4, "another kind");
    refuses(LZ4_STREAM "502a4d1804000000", ENVELOPE_STREAM, false, CODEC_LZ4, "no frame");
    refuses(ZSTD_STREAM "502a4d1804000000", ENVELOPE_STREAM, false, CODEC_ZSTD, "no frame");
    refuses(ZSTD_STREAM ZSTD_PING "502a4d1804000000", ENVELOPE_STREAM, false, CODEC_ZSTD,
            "no frame");
    refuses(ZSTD_PING "2a310d0a", ENVELOPE_STREAM, true, CODEC_ZSTD, "no frame");
    /* An old format of zstd, which the library may know. */
    refuses(ZSTD_STREAM "27b52ffd", ENVELOPE_STREAM, false, CODEC_ZSTD, "no frame");
    /* A window of 16 MiB. */
    refuses(ZSTD_STREAM "28b52ffd0070b800002a320d0a", ENVELOPE_STREAM, false, CODEC_ZSTD, "zstd");
    /* A dictionary. */
    refuses(ZSTD_STREAM "28b52ffd210107", ENVELOPE_STREAM, false, CODEC_ZSTD, NULL);
}

TEST(the_end_of_a_frame_is_the_end_of_an_rdb_and_of_no_lz4_stream)
{
    refuses(LZ4_STREAM "04224d184040c0" LZ4_TLS_BLOCKS "00000000", ENVELOPE_STREAM, false,
            CODEC_LZ4, "has ended");
    refuses(LZ4_RDB "04224d184040c0" LZ4_TLS_BLOCKS "0000000000", ENVELOPE_RDB, false, CODEC_LZ4,
            "behind the end");
    refuses(ZSTD_RDB ZSTD_PING_SUM ZSTD_PING_SUM, ENVELOPE_RDB, false, CODEC_ZSTD,
            "behind the end");
}

TEST(an_rdb_has_ended_at_the_end_of_its_frame_and_not_before)
{
    uint8_t wire[WIRE_MAX];
    if (!codec_is_built(CODEC_ZSTD))
        return;
    struct bytes whole = from_hex(ZSTD_RDB ZSTD_PING_SUM, wire);
    transfer = (struct transfer){.options = {.kind = ENVELOPE_RDB}, .capacity = 64};
    for (size_t length = 0; length <= whole.length; length++) {
        begin(&transfer);
        feed(&transfer, bytes_first(whole, length));
        assert_int_equal(decompressor_has_ended(transfer.decompressor),
                         length == 0 || length == whole.length);
        if (length == whole.length)
            assert_true(decompressor_has_checksum(transfer.decompressor));
        decompressor_free(&transfer.decompressor);
        text_fini(&transfer.got);
    }
}

/* Where there is a checksum, no flipped bit goes through: either nothing comes out, or an error does before the end. */
TEST(a_flipped_bit_is_noticed_by_the_checksum)
{
    static const struct {
        const char *hex;
        enum codec codec;
    } rows[] = {
        {LZ4_RDB "04224d185440ae" LZ4_TCP_BLOCKS "0000000086d80980", CODEC_LZ4},
        {ZSTD_RDB ZSTD_SELECT_PING_SUM, CODEC_ZSTD},
    };
    for (size_t row = 0; row < LENGTH_OF(rows); row++) {
        uint8_t wire[WIRE_MAX];
        if (!codec_is_built(rows[row].codec))
            continue;
        struct bytes whole = from_hex(rows[row].hex, wire);
        transfer = (struct transfer){.options = {.kind = ENVELOPE_RDB}, .capacity = 64};
        /* Behind the envelope: a bit of that makes the payload another one, or plain. */
        for (size_t bit = 8 * ENVELOPE_LENGTH; bit < 8 * whole.length; bit++) {
            wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
            begin(&transfer);
            feed(&transfer, whole);
            bool has_ended = transfer.is_good && decompressor_has_ended(transfer.decompressor);
            bool is_same =
                bytes_equal(text_bytes(&transfer.got), bytes_of(row == 0 ? COMMANDS : SELECT PING));
            /* zstd has a bit without a meaning, and flags that leave the content as it is. */
            assert_true(!has_ended || is_same);
            decompressor_free(&transfer.decompressor);
            text_fini(&transfer.got);
            wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

/* Blocks of nothing, or frames of nothing, for ever. */
TEST(an_endless_frame_that_holds_nothing_is_refused)
{
    static uint8_t nothing[DECOMPRESSOR_SILENT_MAX + 64 * 1024];
    uint8_t begins[WIRE_MAX];
    if (!codec_is_built(CODEC_ZSTD))
        return;
    transfer = (struct transfer){.options = {.kind = ENVELOPE_STREAM}, .capacity = 64};
    transfer.why = "holds nothing";
    begin(&transfer);
    feed(&transfer, from_hex(ZSTD_STREAM "28b52ffd0048", begins));
    feed(&transfer, bytes_at(nothing, sizeof(nothing))); /* raw blocks of 0 bytes */
    assert_false(transfer.is_good);
    decompressor_free(&transfer.decompressor);
    text_fini(&transfer.got);

    struct bytes empty = from_hex(ZSTD_EMPTY, begins);
    transfer.options.expects_frames = true;
    begin(&transfer);
    for (size_t i = 0; i < DECOMPRESSOR_SILENT_MAX / empty.length; i++)
        feed(&transfer, empty);
    assert_true(transfer.is_good); /* an idle Redis sends ten a second */
    feed(&transfer, empty);
    feed(&transfer, empty);
    assert_false(transfer.is_good);
    decompressor_free(&transfer.decompressor);
    text_fini(&transfer.got);
}

/* 4 bytes for 128 KiB: what does not fit into the output waits, and no memory grows. */
TEST(a_bomb_comes_out_in_pieces_of_the_output)
{
    uint8_t begins[WIRE_MAX];
    uint8_t out[1000];
    struct text why;
    if (!codec_is_built(CODEC_ZSTD))
        return;
    /* A window of 128 KiB; one block of 128 KiB that repeats 'x', and not the last. */
    struct bytes wire = from_hex(ZSTD_STREAM "28b52ffd0038"
                                             "02001078"
                                             "02001078",
                                 begins);
    const struct decompressor_options options = {.kind = ENVELOPE_STREAM};
    struct decompressor *decompressor = decompressor_new(&options);
    assert_non_null(decompressor);
    text_init(&why, 200);
    size_t total = 0;
    for (size_t produced = 1; produced > 0; total += produced)
        assert_true(decompressor_feed(decompressor, &wire, out, sizeof(out), &produced, &why));
    assert_int_equal(total, 2 * 128 * 1024);
    assert_int_equal(wire.length, 0);
    decompressor_free(&decompressor);
    text_fini(&why);
}
