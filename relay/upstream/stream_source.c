/* SPDX-License-Identifier: MIT */
#include "stream_source.h"

#include <stdlib.h>
#include <string.h>

void stream_source_begin(struct stream_source *source, const struct decompressor_options *options,
                         struct compression_use *use, struct bytes pending)
{
    CHECK(pending.length <= STREAM_SOURCE_WIRE);
    stream_source_end(source);
    source->use = use;
    source->decompressor = decompressor_new(options);
    source->wire = malloc(STREAM_SOURCE_WIRE);
    source->is_out_of_memory = source->decompressor == NULL || source->wire == NULL;
    if (source->is_out_of_memory)
        return;
    if (pending.length > 0)
        memcpy(source->wire, pending.data, pending.length);
    source->held = bytes_at(source->wire, pending.length);
}

void stream_source_end(struct stream_source *source)
{
    decompressor_free(&source->decompressor);
    free(source->wire);
    *source = (struct stream_source){.wire = NULL};
}

bool stream_source_has_more(const struct stream_source *source)
{
    return source->held.length > 0 || source->is_filled;
}

static void count(struct stream_source *source, size_t wire, size_t plain)
{
    if (decompressor_codec(source->decompressor) == CODEC_NONE)
        return;
    source->use->stream_codec = decompressor_codec(source->decompressor);
    source->use->wire_bytes += wire;
    source->use->plain_bytes += plain;
    if (plain > 0)
        compression_use_note_good(source->use);
}

/* False: `why`. */
static bool decompress_held(struct stream_source *source, uint8_t *into, size_t capacity,
                            size_t *received, struct text *why)
{
    size_t before = source->held.length;
    bool good =
        decompressor_feed(source->decompressor, &source->held, into, capacity, received, why);
    source->is_filled = good && *received == capacity;
    source->is_garbled = !good;
    count(source, before - source->held.length, *received);
    return good;
}

static enum conn_io receive_plain(struct conn *conn, uint8_t *into, size_t capacity,
                                  size_t *received, struct text *why)
{
    enum conn_io io = conn_receive(conn, into, capacity, received);
    if (io != CONN_OK && io != CONN_AGAIN && io != CONN_END)
        text_format(why, "%s", conn_error(conn));
    return io;
}

enum conn_io stream_source_receive(struct stream_source *source, struct conn *conn, uint8_t *into,
                                   size_t capacity, size_t *received, struct text *why)
{
    *received = 0;
    if (source->is_out_of_memory) {
        text_format(why, "out of memory for the compressed stream");
        return CONN_FAILED;
    }
    /* A round without plain bytes is followed by another: the decompressor bounds how many there are. */
    for (;;) {
        if (source->decompressor == NULL)
            return receive_plain(conn, into, capacity, received, why);
        if (stream_source_has_more(source)) {
            if (!decompress_held(source, into, capacity, received, why))
                return CONN_FAILED;
            if (*received > 0)
                return CONN_OK;
        }
        if (decompressor_is_idle(source->decompressor)) {
            stream_source_end(source); /* it is plain, and goes past us */
            continue;
        }
        size_t got;
        enum conn_io io = receive_plain(conn, source->wire, STREAM_SOURCE_WIRE, &got, why);
        if (io != CONN_OK)
            return io;
        source->held = bytes_at(source->wire, got);
    }
}
