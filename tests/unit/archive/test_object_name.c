/* SPDX-License-Identifier: MIT */
#include "relay/archive/object_name.h"

#include "relay/base/replid.h"
#include "test.h"

static struct object_name sample(void)
{
    struct object_name name = {.timeline = 3, .offset = 4711, .kind = OBJECT_SEGMENT};
    archive_system_make(&name.system, INT64_C(1795879353) * 1000000, "5f3a9c01");
    return name;
}

TEST(names_are_as_they_are_documented)
{
    struct object_name name = sample();
    char out[OBJECT_NAME_MAX];
    assert_string_equal(object_name_format(&name, false, out),
                        "20261128T152233Z-5f3a9c01-00000003-00000000000000004711.seg");
    name.kind = OBJECT_SNAPSHOT;
    assert_string_equal(object_name_format(&name, true, out),
                        "20261128T152233Z-5f3a9c01-00000003-00000000000000004711.rdb.manifest");
}

TEST(a_name_is_read_back)
{
    for (int kind = OBJECT_SEGMENT; kind <= OBJECT_SNAPSHOT; kind++) {
        for (int is_manifest = 0; is_manifest < 2; is_manifest++) {
            struct object_name name = sample();
            struct object_name read;
            char out[OBJECT_NAME_MAX];
            bool was_manifest;
            name.kind = (enum object_kind)kind;
            name.offset = OFFSET_MAX;
            name.timeline = ARCHIVE_TIMELINE_MAX;
            object_name_format(&name, is_manifest != 0, out);
            assert_true(object_name_parse(bytes_of(out), &read, &was_manifest));
            assert_int_equal(object_name_compare(&name, &read), 0);
            assert_int_equal(was_manifest, is_manifest);
        }
    }
}

/* Cut anywhere, or another byte anywhere, it is none, or another one. */
TEST(other_names_are_none)
{
    struct object_name name = sample();
    struct object_name read;
    char out[OBJECT_NAME_MAX];
    bool is_manifest;
    object_name_format(&name, true, out);
    size_t length = strlen(out);
    for (size_t i = 0; i < length; i++) {
        bool is_file = i == length - strlen(".manifest");
        assert_int_equal(object_name_parse(bytes_at(out, i), &read, &is_manifest), is_file);
        for (int byte = 0; byte < 256; byte++) {
            char other[OBJECT_NAME_MAX];
            char again[OBJECT_NAME_MAX];
            memcpy(other, out, sizeof(other));
            other[i] = (char)byte;
            if (object_name_parse(bytes_at(other, length), &read, &is_manifest))
                assert_string_equal(object_name_format(&read, is_manifest, again), other);
        }
    }
    assert_false(object_name_parse(bytes_of("state"), &read, &is_manifest));
}

TEST(names_sort_in_the_order_in_which_they_are_made)
{
    struct object_name a = sample();
    struct object_name b = sample();
    char left[OBJECT_NAME_MAX];
    char right[OBJECT_NAME_MAX];
    b.offset = 10000;
    assert_true(object_name_compare(&a, &b) < 0);
    assert_true(strcmp(object_name_format(&a, false, left), object_name_format(&b, false, right)) <
                0);
    a.timeline = 4;
    assert_true(object_name_compare(&a, &b) > 0);
    assert_true(strcmp(object_name_format(&a, false, left), object_name_format(&b, false, right)) >
                0);
    a = b;
    a.kind = OBJECT_SNAPSHOT;
    assert_true(object_name_compare(&a, &b) < 0);
    assert_true(strcmp(object_name_format(&a, false, left), object_name_format(&b, false, right)) <
                0);
}
