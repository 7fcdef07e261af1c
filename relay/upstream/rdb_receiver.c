/* SPDX-License-Identifier: MIT */
#include "rdb_receiver.h"

#include <stdlib.h>
#include <string.h>

#include "handshake.h"

void rdb_receiver_begin(struct rdb_receiver *rdb_receiver, struct snapshot *snapshot)
{
    rdb_receiver_end(rdb_receiver);
    payload_init(&rdb_receiver->payload, snapshot_received(snapshot));
    rdb_receiver->snapshot = snapshot;
}

void rdb_receiver_decompress(struct rdb_receiver *rdb_receiver, const struct handshake *handshake,
                             struct compression_use *use, bool is_safe)
{
    if (handshake->asked.codec == CODEC_NONE)
        return;
    const struct decompressor_options options = handshake_decompression(handshake, ENVELOPE_RDB);
    rdb_receiver->use = use;
    rdb_receiver->is_safe = is_safe;
    rdb_receiver->decompressor = decompressor_new(&options);
    rdb_receiver->out = malloc(RDB_RECEIVER_OUT);
    rdb_receiver->is_out_of_memory =
        rdb_receiver->decompressor == NULL || rdb_receiver->out == NULL;
}

void rdb_receiver_end(struct rdb_receiver *rdb_receiver)
{
    const struct payload payload = rdb_receiver->payload; /* whoever asks how far it got */
    decompressor_free(&rdb_receiver->decompressor);
    free(rdb_receiver->out);
    *rdb_receiver = (struct rdb_receiver){.payload = payload};
}

bool rdb_receiver_had_mark(const struct rdb_receiver *rdb_receiver)
{
    return !rdb_receiver->payload.has_length;
}

bool rdb_receiver_has_more(const struct rdb_receiver *rdb_receiver)
{
    return rdb_receiver->is_filled || rdb_receiver->left[0].length > 0 ||
           rdb_receiver->left[1].length > 0;
}

/* The length on the wire is that of the RDB only where that is plain. */
static void expect_length(struct rdb_receiver *rdb_receiver)
{
    const struct payload *payload = &rdb_receiver->payload;
    if (payload->has_length && !rdb_receiver->has_told_length)
        snapshot_expect(rdb_receiver->snapshot, payload->length);
    rdb_receiver->has_told_length = true;
}

/* All but the last eight bytes: whether these are the footer is known when no more come. */
static bool write_but_ending(struct rdb_receiver *rdb_receiver, struct bytes plain,
                             struct text *why)
{
    struct snapshot *snapshot = rdb_receiver->snapshot;
    size_t total = rdb_receiver->ending_length + plain.length;
    size_t certain = total > RDB_RECEIVER_ENDING ? total - RDB_RECEIVER_ENDING : 0;
    size_t from_ending =
        certain < rdb_receiver->ending_length ? certain : rdb_receiver->ending_length;
    size_t from_plain = certain - from_ending;
    if (from_ending > 0 &&
        !snapshot_write(snapshot, bytes_at(rdb_receiver->ending, from_ending), why))
        return false;
    if (from_plain > 0 && !snapshot_write(snapshot, bytes_first(plain, from_plain), why))
        return false;
    rdb_receiver->ending_length -= (unsigned)from_ending;
    memmove(rdb_receiver->ending, rdb_receiver->ending + from_ending, rdb_receiver->ending_length);
    struct bytes rest = bytes_skip(plain, from_plain);
    if (rest.length > 0)
        memcpy(rdb_receiver->ending + rdb_receiver->ending_length, rest.data, rest.length);
    rdb_receiver->ending_length += (unsigned)rest.length;
    return true;
}

static bool write_decompressed(struct rdb_receiver *rdb_receiver, struct bytes plain,
                               struct text *why)
{
    if (decompressor_codec(rdb_receiver->decompressor) != CODEC_NONE)
        return write_but_ending(rdb_receiver, plain, why);
    if (plain.length == 0)
        return true;
    expect_length(rdb_receiver);
    return snapshot_write(rdb_receiver->snapshot, plain, why);
}

static void count_decompressed(struct rdb_receiver *rdb_receiver, size_t wire, size_t plain)
{
    if (decompressor_codec(rdb_receiver->decompressor) == CODEC_NONE)
        return;
    rdb_receiver->use->wire_bytes += wire;
    rdb_receiver->use->plain_bytes += plain;
}

/* Fills `out` once from what is left. False: `why`. */
static bool decompress_once(struct rdb_receiver *rdb_receiver, struct text *why)
{
    struct bytes *left = &rdb_receiver->left[rdb_receiver->left[0].length > 0 ? 0 : 1];
    size_t before = left->length;
    size_t produced;
    bool good = decompressor_feed(rdb_receiver->decompressor, left, rdb_receiver->out,
                                  RDB_RECEIVER_OUT, &produced, why);
    rdb_receiver->is_garbled = !good;
    rdb_receiver->is_filled = good && produced == RDB_RECEIVER_OUT;
    count_decompressed(rdb_receiver, before - left->length, produced);
    return good && write_decompressed(rdb_receiver, bytes_at(rdb_receiver->out, produced), why);
}

/* RDB_RECEIVER_DONE: all that is left has been decompressed and written. */
static enum rdb_receiver_result decompress_left(struct rdb_receiver *rdb_receiver, struct text *why)
{
    for (int i = 0; rdb_receiver_has_more(rdb_receiver); i++) {
        if (i == RDB_RECEIVER_OUTS)
            return RDB_RECEIVER_BUSY;
        if (!decompress_once(rdb_receiver, why))
            return RDB_RECEIVER_FAILED;
        if (snapshot_owes(rdb_receiver->snapshot))
            return RDB_RECEIVER_HELD;
    }
    return RDB_RECEIVER_DONE;
}

/* All came. A footer of zeros was left to the checksum of the frame, which has been right: what is stored gets the
 * CRC-64 that it lacks. */
static bool finish_decompressed(struct rdb_receiver *rdb_receiver, struct text *why)
{
    static const uint8_t zeros[RDB_RECEIVER_ENDING] = {0};
    struct decompressor *decompressor = rdb_receiver->decompressor;
    if (!decompressor_has_ended(decompressor)) {
        text_format(why, "the compressed RDB ended before its frame did");
        rdb_receiver->is_garbled = true;
        return false;
    }
    if (decompressor_codec(decompressor) == CODEC_NONE)
        return true;
    compression_use_note_good(rdb_receiver->use);
    bool is_proven = rdb_receiver->is_safe || decompressor_has_checksum(decompressor);
    if (is_proven && rdb_receiver->ending_length == RDB_RECEIVER_ENDING &&
        memcmp(rdb_receiver->ending, zeros, RDB_RECEIVER_ENDING) == 0)
        return snapshot_write_footer(rdb_receiver->snapshot, why);
    return snapshot_write(rdb_receiver->snapshot,
                          bytes_at(rdb_receiver->ending, rdb_receiver->ending_length), why);
}

/* What the payload has handed on. RDB_RECEIVER_DONE: it has been written. */
static enum rdb_receiver_result take_pieces(struct rdb_receiver *rdb_receiver,
                                            const struct bytes pieces[2], struct text *why)
{
    if (rdb_receiver->decompressor != NULL) {
        rdb_receiver->left[0] = pieces[0];
        rdb_receiver->left[1] = pieces[1];
        return decompress_left(rdb_receiver, why);
    }
    for (int i = 0; i < 2; i++) {
        if (pieces[i].length > 0 && !snapshot_write(rdb_receiver->snapshot, pieces[i], why))
            return RDB_RECEIVER_FAILED;
    }
    return snapshot_owes(rdb_receiver->snapshot) ? RDB_RECEIVER_HELD : RDB_RECEIVER_DONE;
}

static enum rdb_receiver_result finish_rdb(struct rdb_receiver *rdb_receiver, struct text *why)
{
    if (rdb_receiver->decompressor == NULL || rdb_receiver->is_finished)
        return RDB_RECEIVER_DONE;
    if (!finish_decompressed(rdb_receiver, why))
        return RDB_RECEIVER_FAILED;
    rdb_receiver->is_finished = true;
    return snapshot_owes(rdb_receiver->snapshot) ? RDB_RECEIVER_HELD : RDB_RECEIVER_DONE;
}

enum rdb_receiver_result rdb_receiver_feed(struct rdb_receiver *rdb_receiver, struct bytes *input,
                                           struct text *why)
{
    struct payload *payload = &rdb_receiver->payload;
    struct snapshot *snapshot = rdb_receiver->snapshot;
    if (rdb_receiver->is_out_of_memory) {
        text_format(why, "out of memory for the compressed RDB");
        return RDB_RECEIVER_FAILED;
    }
    if (snapshot_owes(snapshot) && !snapshot_write_owed(snapshot, why))
        return RDB_RECEIVER_FAILED;
    if (snapshot_owes(snapshot))
        return RDB_RECEIVER_HELD;
    enum rdb_receiver_result result = decompress_left(rdb_receiver, why);
    while (result == RDB_RECEIVER_DONE &&
           (payload->state == PAYLOAD_HEADER || payload->state == PAYLOAD_BODY)) {
        if (input->length == 0)
            return RDB_RECEIVER_MORE;
        struct bytes pieces[2];
        bool before_body = payload->state == PAYLOAD_HEADER;
        payload_feed(payload, input, pieces);
        if (rdb_receiver->decompressor == NULL && before_body && payload->state != PAYLOAD_HEADER)
            expect_length(rdb_receiver);
        result = take_pieces(rdb_receiver, pieces, why);
    }
    if (result != RDB_RECEIVER_DONE)
        return result;
    if (payload->state == PAYLOAD_DONE)
        return finish_rdb(rdb_receiver, why);
    char shown[160];
    text_format(
        why, "the primary sent no RDB but: %s",
        bytes_printable(bytes_at(payload->line, payload->line_length), shown, sizeof(shown)));
    return RDB_RECEIVER_FAILED;
}
