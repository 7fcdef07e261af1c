/* SPDX-License-Identifier: MIT */
#include "relay/archive/manifest.h"

#include <stdlib.h>

#include "relay/base/crc64.h"
#include "test.h"

static struct manifest *sample(void)
{
    struct manifest *manifest = calloc(1, sizeof(*manifest));
    assert_non_null(manifest);
    manifest->name = (struct object_name){.timeline = 3, .offset = 4711, .kind = OBJECT_SEGMENT};
    archive_system_make(&manifest->name.system, INT64_C(1795879353) * 1000000, "5f3a9c01");
    manifest->end = 65536;
    manifest->length = 65536 - 4711;
    manifest->crc = UINT64_C(0x4f1c09be22a01733);
    manifest->shipped_us = INT64_C(1795879353000000);
    manifest->history = 2;
    memset(manifest->replid.hex, 'a', REPLID_DIGITS);
    manifest->earlier_count = 1;
    memset(manifest->earlier[0].replid.hex, 'b', REPLID_DIGITS);
    manifest->earlier[0].limit = 90210;
    manifest->root = (struct timeline_root){.begin = 4711, .parent = 2};
    manifest->time_count = 2;
    manifest->times[0] = (struct time_entry){4800, INT64_C(1795879353000000)};
    manifest->times[1] = (struct time_entry){65536, INT64_C(1795879352000000)};
    return manifest;
}

static const char file_name[] =
    "20261128T152233Z-5f3a9c01-00000003-00000000000000004711.seg.manifest";

static void format(const struct manifest *manifest, struct text *text)
{
    text_init(text, MANIFEST_LENGTH_MAX);
    manifest_format(manifest, text);
    assert_false(text->failed);
}

TEST(a_manifest_is_read_back)
{
    struct manifest *manifest = sample();
    struct manifest *read = sample();
    struct error error;
    struct text text;
    struct text again;
    format(manifest, &text);
    memset(read, 0xff, sizeof(*read));
    if (!manifest_parse(text_bytes(&text), file_name, read, &error))
        fail_msg("%s", error.text);
    assert_memory_equal(read->times, manifest->times, 2 * sizeof(manifest->times[0]));
    format(read, &again);
    assert_string_equal(text_string(&text), text_string(&again));
    text_fini(&text);
    text_fini(&again);
    free(manifest);
    free(read);
}

/* At every byte: cut there, or another bit there. */
TEST(a_cut_or_altered_one_is_refused)
{
    struct manifest *manifest = sample();
    struct error error;
    struct text text;
    format(manifest, &text);
    for (size_t i = 0; i < text.length; i++) {
        assert_false(manifest_parse(bytes_at(text.data, i), file_name, manifest, &error));
        assert_int_equal(error.kind, ERROR_DAMAGED);
        for (int bit = 0; bit < 8; bit++) {
            text.data[i] ^= (char)(1 << bit);
            assert_false(manifest_parse(text_bytes(&text), file_name, manifest, &error));
            text.data[i] ^= (char)(1 << bit);
        }
    }
    assert_true(manifest_parse(text_bytes(&text), file_name, manifest, &error));
    text_fini(&text);
    free(manifest);
}

/* One with a right checksum that says what cannot be. */
static void check_lie(void (*change)(struct manifest *manifest), const char *expected)
{
    struct manifest *manifest = sample();
    struct error error = {.text = ""};
    struct text text;
    change(manifest);
    format(manifest, &text);
    assert_false(manifest_parse(text_bytes(&text), file_name, manifest, &error));
    if (strstr(error.text, expected) == NULL)
        fail_msg("expected %s, got %s", expected, error.text);
    text_fini(&text);
    free(manifest);
}

static void other_offset(struct manifest *manifest)
{
    manifest->name.offset++;
}
static void other_kind(struct manifest *manifest)
{
    manifest->name.kind = OBJECT_SNAPSHOT;
}
static void other_timeline(struct manifest *manifest)
{
    manifest->name.timeline++;
}
static void other_length(struct manifest *manifest)
{
    manifest->length--;
}
static void before_its_begin(struct manifest *manifest)
{
    manifest->end = 4711;
}
static void from_before(struct manifest *manifest)
{
    manifest->root.begin = 4712;
}
static void own_parent(struct manifest *manifest)
{
    manifest->root.parent = 3;
}
static void late_time(struct manifest *manifest)
{
    manifest->times[1].offset++;
}
static void early_time(struct manifest *manifest)
{
    manifest->times[0].offset = 4711;
}
static void times_that_fall(struct manifest *manifest)
{
    manifest->times[0].offset = 65536;
}
static void far_end(struct manifest *manifest)
{
    manifest->end = UINT64_MAX;
    manifest->length = UINT64_MAX - 4711;
}

TEST(one_that_lies_is_refused)
{
    check_lie(other_offset, "another file");
    check_lie(other_kind, "another file");
    check_lie(other_timeline, "another file");
    check_lie(other_length, "do not fit together");
    check_lie(before_its_begin, "do not fit together");
    check_lie(from_before, "before its timeline began");
    check_lie(own_parent, "cannot come from timeline 3");
    check_lie(late_time, "times are those of other bytes");
    check_lie(early_time, "times are those of other bytes");
    check_lie(times_that_fall, "line \"time ...\"");
    check_lie(far_end, "line \"end ...\"");
}

/* Lines that are missing, doubled or not known, with a right checksum. */
TEST(other_lines_are_refused)
{
    struct manifest *manifest = sample();
    struct error error;
    struct text text;
    format(manifest, &text);
    size_t lines = 0;
    for (size_t i = 0; i < text.length; i++)
        lines += text.data[i] == '\n';
    for (size_t left_out = 0; left_out + 1 < lines; left_out++) {
        for (int twice = 0; twice < 2; twice++) {
            struct text other;
            struct bytes rest = text_bytes(&text);
            text_init(&other, MANIFEST_LENGTH_MAX);
            bool may_be = false;
            for (size_t line = 0; line + 1 < lines; line++) {
                size_t length = bytes_find(rest, '\n') + 1;
                struct bytes one = bytes_first(rest, length);
                rest = bytes_skip(rest, length);
                for (int times = line == left_out ? 2 * twice : 1; times > 0; times--)
                    text_append(&other, one);
                if (line == left_out)
                    may_be = bytes_starts(one, "earlier") ||
                             (!twice && (bytes_starts(one, "time") || bytes_starts(one, "parent")));
            }
            struct bytes body = text_bytes(&other);
            text_format(&other, "sum %016llx\n",
                        (unsigned long long)crc64(0, body.data, body.length));
            assert_int_equal(manifest_parse(text_bytes(&other), file_name, manifest, &error),
                             may_be);
            text_fini(&other);
        }
    }
    text_fini(&text);
    free(manifest);
}

TEST(of_many_times_some_are_left_out)
{
    struct manifest *manifest = sample();
    struct time_index times;
    struct error error;
    struct text text;
    time_index_init(&times);
    for (uint64_t i = 0; i < 3 * MANIFEST_TIMES_MAX; i++)
        assert_true(time_index_add(&times, (struct time_entry){i, (int64_t)i}));
    manifest->name.offset = 100;
    manifest->root.begin = 100;
    manifest->end = 2 * MANIFEST_TIMES_MAX + 1000;
    manifest->length = manifest->end - 100;
    manifest_take_times(manifest, &times, 100);
    assert_in_range(manifest->time_count, MANIFEST_TIMES_MAX / 2, MANIFEST_TIMES_MAX);
    assert_true(manifest->times[0].offset > 100);
    assert_int_equal(manifest->times[manifest->time_count - 1].offset, manifest->end);
    format(manifest, &text);
    char name[OBJECT_NAME_MAX];
    object_name_format(&manifest->name, true, name);
    if (!manifest_parse(text_bytes(&text), name, manifest, &error))
        fail_msg("%s", error.text);
    manifest_take_times(manifest, &times, 3 * MANIFEST_TIMES_MAX);
    assert_int_equal(manifest->time_count, 0);
    time_index_fini(&times);
    text_fini(&text);
    free(manifest);
}
