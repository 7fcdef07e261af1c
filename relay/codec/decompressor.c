/* SPDX-License-Identifier: MIT */
#include "relay/codec/decompressor.h"

#include <stdlib.h>
#include <string.h>

#include "codec_private.h"

struct decompressor {
    struct decompressor_options options;
    bool is_decided;
    bool has_failed;
    bool has_ended; /* a frame of a payload that has an end */
    bool has_checksum;
    const struct library *library; /* NULL: plain, or not decided */
    enum codec codec;
    void *decoder;
    uint8_t held[ENVELOPE_LENGTH]; /* of the beginning: may be an envelope; else goes first */
    size_t held_length;
    size_t
        frame_position; /* how many bytes of the frame have been taken, LIBRARY_FLAGS_AT + 1 at the most */
    size_t silent_bytes; /* were taken since something was produced */
    uint64_t taken_total;
    uint64_t produced_total;
};

struct decompressor *decompressor_new(const struct decompressor_options *options)
{
    struct decompressor *decompressor = calloc(1, sizeof(*decompressor));
    if (decompressor == NULL)
        return NULL;
    decompressor->options = *options;
    if (options->window_log == 0)
        decompressor->options.window_log = DECOMPRESSOR_WINDOW_LOG;
    CHECK(decompressor->options.window_log <= DECOMPRESSOR_WINDOW_LOG_MAX);
    return decompressor;
}

void decompressor_free(struct decompressor **decompressor)
{
    struct decompressor *it = *decompressor;
    *decompressor = NULL;
    if (it == NULL)
        return;
    if (it->decoder != NULL)
        it->library->close_decoder(it->decoder);
    free(it);
}

static bool decompressor_fail(struct decompressor *decompressor, const char *why, struct text *text)
{
    const char *name = decompressor->library != NULL ? decompressor->library->name : "payload";
    decompressor->has_failed = true;
    text_format(text, "cannot decompress: %s: %s", name, why);
    return false;
}

/* ------------------------------------------------------------------ what is it? */

/* False: out of memory. */
static bool decide(struct decompressor *decompressor, enum codec codec)
{
    decompressor->is_decided = true;
    decompressor->codec = codec;
    decompressor->library = library_of(codec);
    if (decompressor->library == NULL)
        return true;
    decompressor->decoder = decompressor->library->open_decoder(decompressor->options.window_log);
    return decompressor->decoder != NULL;
}

/* Redis has no envelope. Its stream begins with a frame; whether it does was agreed on, and is looked at all the same,
 * since commands cannot begin so. */
static enum envelope_result look_for_frame(struct bytes begin, enum codec *codec)
{
    const struct library *zstd = library_of(CODEC_ZSTD);
    size_t compared = begin.length < LIBRARY_FLAGS_AT ? begin.length : LIBRARY_FLAGS_AT;
    if (zstd == NULL || memcmp(begin.data, zstd->magic, compared) != 0)
        return ENVELOPE_PLAIN;
    *codec = CODEC_ZSTD;
    return compared < LIBRARY_FLAGS_AT ? ENVELOPE_MORE : ENVELOPE_FOUND;
}

static enum envelope_result look_at_begin(const struct decompressor *decompressor,
                                          enum codec *codec, const char **why)
{
    struct bytes begin = bytes_at(decompressor->held, decompressor->held_length);
    enum envelope_result result = envelope_read(begin, decompressor->options.kind, codec, why);
    if (result == ENVELOPE_PLAIN && decompressor->options.expects_frames)
        return look_for_frame(begin, codec);
    return result;
}

/* Takes the first bytes, one by one, until they tell. */
static bool decompressor_probe(struct decompressor *decompressor, struct bytes *input,
                               struct text *text)
{
    while (!decompressor->is_decided && input->length > 0) {
        const char *why = NULL;
        enum codec codec = CODEC_NONE;
        decompressor->held[decompressor->held_length++] = input->data[0];
        *input = bytes_skip(*input, 1);
        bool good = true;
        switch (look_at_begin(decompressor, &codec, &why)) {
        case ENVELOPE_MORE:
            break;
        case ENVELOPE_PLAIN:
            good = decide(decompressor, CODEC_NONE);
            break;
        case ENVELOPE_FOUND:
            good = decide(decompressor, codec);
            if (decompressor->held_length == ENVELOPE_LENGTH)
                decompressor->held_length = 0;
            break;
        case ENVELOPE_REFUSED:
            return decompressor_fail(decompressor, why, text);
        }
        if (!good)
            return decompressor_fail(decompressor, "out of memory", text);
    }
    return true;
}

/* ------------------------------------------------------------------ plain bytes of it */

/* Copies as much as there is room for. */
static void move(struct bytes *from, uint8_t *out, size_t capacity, size_t *produced)
{
    size_t room = capacity - *produced;
    size_t length = from->length < room ? from->length : room;
    if (length > 0)
        memcpy(out + *produced, from->data, length);
    *from = bytes_skip(*from, length);
    *produced += length;
}

/* Each frame must be of the codec itself: a library would read others as well, and pass over skippable ones. `part` are
 * the next bytes of a frame. */
static const char *check_frame(struct decompressor *decompressor, struct bytes part)
{
    for (size_t i = 0; i < part.length; i++) {
        size_t position = decompressor->frame_position + i;
        if (position < LIBRARY_FLAGS_AT && part.data[i] != decompressor->library->magic[position])
            return "this is no frame";
        if (position == LIBRARY_FLAGS_AT)
            decompressor->has_checksum =
                (part.data[i] & decompressor->library->checksum_flags) != 0;
    }
    return NULL;
}

/* The library is given the bytes of one frame's beginning at a time, so that the next one's are looked at first. */
static struct bytes part_of_frame(const struct decompressor *decompressor, struct bytes input)
{
    size_t begin = LIBRARY_FLAGS_AT + 1 - decompressor->frame_position;
    if (decompressor->frame_position > LIBRARY_FLAGS_AT || input.length < begin)
        return input;
    return bytes_first(input, begin);
}

static const char *end_frame(struct decompressor *decompressor)
{
    decompressor->frame_position = 0;
    if (decompressor->options.kind == ENVELOPE_RDB)
        decompressor->has_ended = true;
    else if (!decompressor->library->has_stream_of_frames)
        return "the frame of the stream has ended";
    return NULL;
}

/* A stream is read on only as fast as it is stored, and its commands are looked at; an RDB fills the disk. */
static bool is_bomb(const struct decompressor *decompressor)
{
    return decompressor->options.kind == ENVELOPE_RDB &&
           decompressor->produced_total > DECOMPRESSOR_RDB_FREE &&
           decompressor->produced_total / DECOMPRESSOR_RATIO_MAX > decompressor->taken_total;
}

/* One call of the library. NULL, or why not. */
static const char *decode_part(struct decompressor *decompressor, struct bytes *input, uint8_t *out,
                               size_t capacity, size_t *produced)
{
    const char *why = NULL;
    size_t made = 0;
    struct bytes part = part_of_frame(decompressor, *input);
    if (decompressor->has_ended)
        return part.length > 0 ? "there are bytes behind the end of the frame" : NULL;
    if (decompressor->frame_position <= LIBRARY_FLAGS_AT)
        why = check_frame(decompressor, part);
    if (why != NULL)
        return why;
    struct bytes rest = part;
    enum library_result result = decompressor->library->decode(
        decompressor->decoder, &rest, out + *produced, capacity - *produced, &made, &why);
    size_t taken = part.length - rest.length;
    *input = bytes_skip(*input, taken);
    if (decompressor->frame_position <= LIBRARY_FLAGS_AT)
        decompressor->frame_position += taken;
    *produced += made;
    decompressor->taken_total += taken;
    decompressor->produced_total += made;
    decompressor->silent_bytes = made > 0 ? 0 : decompressor->silent_bytes + taken;
    if (result == LIBRARY_FAILED)
        return why;
    if (decompressor->silent_bytes > DECOMPRESSOR_SILENT_MAX)
        return "1 MiB came and holds nothing";
    if (is_bomb(decompressor))
        return "the RDB becomes more than 1024 times as long";
    return result == LIBRARY_ENDED && decompressor->frame_position > 0 ? end_frame(decompressor)
                                                                       : NULL;
}

static bool decompressor_decode(struct decompressor *decompressor, struct bytes *input,
                                uint8_t *out, size_t capacity, size_t *produced, struct text *text)
{
    for (;;) {
        size_t left = input->length;
        size_t made = *produced;
        const char *why = decode_part(decompressor, input, out, capacity, produced);
        if (why != NULL)
            return decompressor_fail(decompressor, why, text);
        bool moved = input->length < left || *produced > made;
        if (*produced == capacity || !moved)
            return true;
    }
}

/* What was held while it was not known what the payload is. */
static bool decode_held(struct decompressor *decompressor, uint8_t *out, size_t capacity,
                        size_t *produced, struct text *text)
{
    struct bytes held = bytes_at(decompressor->held, decompressor->held_length);
    if (decompressor->library == NULL)
        move(&held, out, capacity, produced);
    else if (!decompressor_decode(decompressor, &held, out, capacity, produced, text))
        return false;
    memmove(decompressor->held, held.data, held.length);
    decompressor->held_length = held.length;
    return true;
}

bool decompressor_feed(struct decompressor *decompressor, struct bytes *input, uint8_t *out,
                       size_t capacity, size_t *produced, struct text *why)
{
    CHECK(capacity > 0);
    *produced = 0;
    if (decompressor->has_failed)
        return decompressor_fail(decompressor, "it has failed before", why);
    if (!decompressor->is_decided && !decompressor_probe(decompressor, input, why))
        return false;
    if (!decompressor->is_decided)
        return true;
    if (decompressor->held_length > 0 && !decode_held(decompressor, out, capacity, produced, why))
        return false;
    if (decompressor->held_length > 0 || *produced == capacity)
        return true;
    if (decompressor->library != NULL)
        return decompressor_decode(decompressor, input, out, capacity, produced, why);
    move(input, out, capacity, produced);
    return true;
}

bool decompressor_is_decided(const struct decompressor *decompressor)
{
    return decompressor->is_decided;
}

enum codec decompressor_codec(const struct decompressor *decompressor)
{
    return decompressor->codec;
}

bool decompressor_is_idle(const struct decompressor *decompressor)
{
    return decompressor->is_decided && decompressor->library == NULL &&
           decompressor->held_length == 0;
}

bool decompressor_has_ended(const struct decompressor *decompressor)
{
    return decompressor->is_decided ? decompressor->library == NULL || decompressor->has_ended
                                    : decompressor->held_length == 0;
}

bool decompressor_has_checksum(const struct decompressor *decompressor)
{
    return decompressor->has_checksum;
}
