/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/part_note.h"

#include <string.h>

#include "relay/base/crc64.h"
#include "test.h"

#define ID "0123456789abcdef0123456789abcdef01234567"
#define BOOT "6d1b1fd0-7e04-4b2f-b3a4-0d7b6f0ee0a1"
#define OTHER_BOOT "00000000-7e04-4b2f-b3a4-0d7b6f0ee0a1"

static struct part_note make_note(const char *boot_id, bool is_synced)
{
    struct part_note note = {.part = {.offset = 1000, .length = 20000, .bytes = 4096, .crc = 7},
                             .is_synced = is_synced};
    assert_true(replid_parse(bytes_of(ID), &note.part.replid));
    memcpy(note.boot_id, boot_id, strlen(boot_id));
    return note;
}

static void write_note(const struct part_note *note, struct text *out)
{
    text_init(out, PART_NOTE_LENGTH_MAX);
    part_note_format(note, out);
    assert_false(out->failed);
}

TEST(a_note_says_what_was_written)
{
    static const char *const boots[] = {BOOT, ""};
    for (int i = 0; i < 4; i++) {
        struct text content;
        struct part_note note = make_note(boots[i / 2], i % 2 == 0);
        struct part_note read;
        write_note(&note, &content);
        assert_true(part_note_parse(text_bytes(&content), &read));
        assert_string_equal(read.part.replid.hex, ID);
        assert_int_equal(read.part.offset, 1000);
        assert_int_equal(read.part.length, 20000);
        assert_int_equal(read.part.bytes, 4096);
        assert_int_equal(read.part.crc, 7);
        assert_string_equal(read.boot_id, boots[i / 2]);
        assert_int_equal(read.is_synced, i % 2 == 0);
        text_fini(&content);
    }
}

/* Cut anywhere, or with another byte anywhere, it is none. */
TEST(every_byte_of_a_note_counts)
{
    struct text content;
    struct part_note note = make_note(BOOT, true);
    struct part_note read;
    write_note(&note, &content);
    size_t length = content.length;
    char copy[PART_NOTE_LENGTH_MAX + 1];
    memcpy(copy, text_bytes(&content).data, length);
    for (size_t i = 0; i < length; i++) {
        assert_false(part_note_parse(bytes_at(copy, i), &read));
        for (unsigned byte = 0; byte < 256; byte++) {
            char before = copy[i];
            if ((unsigned char)before == byte)
                continue;
            copy[i] = (char)byte;
            assert_false(part_note_parse(bytes_at(copy, length), &read));
            copy[i] = before;
        }
    }
    copy[length] = '\n';
    assert_false(part_note_parse(bytes_at(copy, length + 1), &read));
    assert_true(part_note_parse(bytes_at(copy, length), &read));
    text_fini(&content);
}

/* The sum is right, and what it is of is not. */
static bool is_read_with_sum(const char *lines)
{
    struct text content;
    struct part_note note;
    text_init(&content, 2 * PART_NOTE_LENGTH_MAX);
    text_append_string(&content, lines);
    uint64_t crc = crc64(0, lines, strlen(lines));
    text_format(&content, "sum %016llx\n", (unsigned long long)crc);
    bool good = part_note_parse(text_bytes(&content), &note);
    text_fini(&content);
    return good;
}

#define HEAD "psync-relay partial 1\n"
#define RDB "rdb " ID ":1000:20000:4096:0000000000000007\n"

TEST(a_note_with_a_good_sum_must_still_make_sense)
{
    static const char *const bad[] = {
        "",
        HEAD,
        HEAD RDB,
        HEAD RDB "boot -\n",
        HEAD RDB "boot -\nsynced maybe\n",
        HEAD RDB "boot -\nsynced yes\nmore\n",
        HEAD RDB "boot \nsynced yes\n",
        HEAD RDB "boot 0123456789012345678901234567890123456789\nsynced yes\n",
        HEAD "boot -\n" RDB "synced yes\n",
        HEAD "rdb \nboot -\nsynced yes\n",
        "psync-relay partial 2\n" RDB "boot -\nsynced yes\n",
        RDB "boot -\nsynced yes\n",
    };
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        if (is_read_with_sum(bad[i]))
            fail_msg("this was taken for a note:\n%s", bad[i]);
    }
    assert_true(is_read_with_sum(HEAD RDB "boot -\nsynced yes\n"));
}

/* What was not fsynced outlives a kill, and not a boot. */
TEST(a_note_counts_if_what_it_speaks_of_must_be_there)
{
    struct part_note synced = make_note(BOOT, true);
    struct part_note written = make_note(BOOT, false);
    struct part_note nowhere = make_note("", false);
    assert_true(part_note_counts(&synced, BOOT));
    assert_true(part_note_counts(&synced, OTHER_BOOT));
    assert_true(part_note_counts(&synced, ""));
    assert_true(part_note_counts(&written, BOOT));
    assert_false(part_note_counts(&written, OTHER_BOOT));
    assert_false(part_note_counts(&written, ""));
    assert_false(part_note_counts(&nowhere, ""));
    assert_true(part_note_is_of_boot(&synced, BOOT));
    assert_false(part_note_is_of_boot(&synced, OTHER_BOOT));
    assert_false(part_note_is_of_boot(&nowhere, ""));
}
