/* SPDX-License-Identifier: MIT
 *
 * What a restore makes of a stream, cut anywhere: it has the boundaries of the tokenizer and finds the same fault at
 * the same place, and what it passes on up to the boundary is a stream of whole commands, with nothing to leave out.
 */
#include "fuzz.h"

#include "../../relay/restore/stream_filter.h"
#include "relay/resp/tokenizer.h"

enum { OUT_MAX = 1024 * 1024 };

struct sink {
    uint8_t data[OUT_MAX];
    size_t length;
};

static struct sink first;
static struct sink second;

static bool put(struct bytes bytes, void *arg, struct error *error)
{
    struct sink *sink = arg;
    (void)error;
    CHECK(bytes.length <= OUT_MAX - sink->length);
    if (bytes.length > 0)
        memcpy(sink->data + sink->length, bytes.data, bytes.length);
    sink->length += bytes.length;
    return true;
}

/* In pieces of so many bytes. */
static bool filter_all(struct stream_filter *filter, struct bytes stream, size_t piece, bool keeps,
                       struct sink *sink, struct error *error)
{
    sink->length = 0;
    stream_filter_init(filter, 0, keeps, put, sink);
    while (stream.length > 0) {
        size_t length = piece < stream.length ? piece : stream.length;
        uint8_t *copy = malloc(length);
        CHECK(copy != NULL);
        memcpy(copy, stream.data, length);
        bool is_good = stream_filter_feed(filter, bytes_at(copy, length), error);
        free(copy);
        if (!is_good)
            return false;
        stream = bytes_skip(stream, length);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > OUT_MAX)
        return 0;
    size_t piece = 1u + data[0] % 64u;
    struct bytes stream = bytes_skip(bytes_at(data, size), 1);
    struct tokenizer tokenizer;
    struct stream_filter filter;
    struct stream_filter copy;
    struct error error;
    tokenizer_init(&tokenizer, 0);
    bool is_stream = tokenizer_feed(&tokenizer, stream);
    CHECK(filter_all(&filter, stream, piece, false, &first, &error) == is_stream);
    CHECK(filter.scanner.offset == tokenizer.offset);
    CHECK(filter.scanner.boundary == tokenizer.boundary);
    CHECK(filter.passed == first.length);

    CHECK(filter_all(&copy, stream, piece, true, &second, &error) == is_stream);
    if (!is_stream) /* what came of it is thrown away */
        return 0;
    CHECK(copy.passed_boundary == tokenizer.boundary);
    CHECK(memcmp(second.data, stream.data, (size_t)copy.passed_boundary) == 0);

    CHECK(filter.passed_boundary <= first.length);
    struct bytes kept = bytes_at(first.data, (size_t)filter.passed_boundary);
    CHECK(filter_all(&copy, kept, size, false, &second, &error));
    CHECK(copy.scanner.boundary == kept.length && copy.passed_boundary == kept.length);
    CHECK(memcmp(second.data, kept.data, kept.length) == 0);
    CHECK(copy.commands == filter.commands);
    return 0;
}
