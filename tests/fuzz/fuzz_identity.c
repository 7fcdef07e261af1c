/* SPDX-License-Identifier: MIT
 *
 * The identity file: what can be read says the same when it is written and read again, and what is
 * done to it afterwards leaves it readable. A first byte of '!' has the sum put right, as whoever
 * writes such a file would do it.
 */
#include "fuzz.h"

#include <inttypes.h>

#include "relay/base/crc64.h"
#include "relay/store/identity.h"

enum { FILE_MAX = 1 << 20 };

static void put_sum(struct text *file)
{
    text_format(file, "sum %016" PRIx64 "\n", crc64(0, file->data, file->length));
}

/* Writes, reads, writes: twice the same. */
static void go_round(const struct identity *identity)
{
    struct text first;
    struct text second;
    struct text why;
    struct identity again;
    text_init(&first, FILE_MAX);
    text_init(&second, FILE_MAX);
    text_init(&why, FILE_MAX);
    identity_format(identity, &first);
    CHECK(identity_parse(text_bytes(&first), &again, &why));
    identity_format(&again, &second);
    CHECK(!first.failed && bytes_equal(text_bytes(&first), text_bytes(&second)));
    identity_fini(&again);
    text_fini(&why);
    text_fini(&second);
    text_fini(&first);
}

/* What happens to a history. */
static void live_on(struct identity *identity, uint64_t offset)
{
    struct replid id;
    CHECK(replid_parse(bytes_of("8e7f0123456789abcdef0123456789abcdef0123"), &id));
    uint64_t first = identity->segment_count > 0 ? identity->segments[0].first : 0;
    (void)identity_may_continue(identity, first, UINT64_MAX, &identity->replid, offset);
    identity_rewind(identity, offset);
    go_round(identity);
    identity_rename(identity, &id, offset);
    go_round(identity);
    if (identity->segment_count > 0)
        identity_drop_oldest(identity, 1);
    go_round(identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text file;
    struct text why;
    struct identity identity;
    text_init(&file, FILE_MAX);
    text_init(&why, FILE_MAX);
    bool has_sum = size == 0 || data[0] != '!';
    text_append(&file, bytes_skip(bytes_at(data, size), has_sum ? 0 : 1));
    if (!has_sum && file.length > 0)
        put_sum(&file);
    if (identity_parse(text_bytes(&file), &identity, &why)) {
        go_round(&identity);
        uint64_t last = identity.segment_count > 0
                            ? identity.segments[identity.segment_count - 1].first
                            : identity.snapshot.offset;
        live_on(&identity, last);
        identity_fini(&identity);
    } else {
        CHECK(why.length > 0);
    }
    text_fini(&why);
    text_fini(&file);
    return 0;
}
