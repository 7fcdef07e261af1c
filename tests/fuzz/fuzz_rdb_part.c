/* SPDX-License-Identifier: MIT
 *
 * The beginning of an RDB as a relay tells it (REPLCONF rdb-resume), and as the note in the data directory tells
 * it: whatever is read is valid, and is written again as it was read; nothing else is taken. The note's sum is
 * made right, so that what it is of is looked at as well.
 */
#include "fuzz.h"

#include "../../relay/store/part_note.h"
#include "relay/base/crc64.h"
#include "relay/base/rdb_part.h"

static void check_word(struct bytes word)
{
    struct rdb_part part;
    if (!rdb_part_parse(word, &part))
        return;
    struct text again;
    text_init(&again, RDB_PART_WORD_MAX);
    CHECK(rdb_part_is_valid(&part));
    CHECK(part.length == 0 || part.bytes <= part.length);
    rdb_part_format(&part, &again);
    CHECK(!again.failed);
    CHECK(again.length == word.length);
    /* An id is known in capitals, too. */
    CHECK(bytes_equal(bytes_skip(text_bytes(&again), REPLID_DIGITS),
                      bytes_skip(word, REPLID_DIGITS)));
    text_fini(&again);
}

static void check_note(struct bytes content)
{
    struct part_note note;
    struct part_note again;
    if (!part_note_parse(content, &note))
        return;
    struct text written;
    text_init(&written, PART_NOTE_LENGTH_MAX);
    CHECK(rdb_part_is_valid(&note.part));
    part_note_format(&note, &written);
    CHECK(!written.failed);
    CHECK(part_note_parse(text_bytes(&written), &again));
    CHECK(again.part.bytes == note.part.bytes && again.part.crc == note.part.crc);
    CHECK(strcmp(again.boot_id, note.boot_id) == 0 && again.is_synced == note.is_synced);
    CHECK(part_note_counts(&note, "") == note.is_synced);
    text_fini(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = exact_copy(bytes_at(data, size));
    check_word(bytes_at(copy, size));
    check_note(bytes_at(copy, size));
    struct text summed;
    text_init(&summed, 2 * PART_NOTE_LENGTH_MAX);
    text_append(&summed, bytes_at(copy, size));
    text_format(&summed, "sum %016llx\n", (unsigned long long)crc64(0, copy, size));
    if (!summed.failed)
        check_note(text_bytes(&summed));
    text_fini(&summed);
    free(copy);
    return 0;
}
