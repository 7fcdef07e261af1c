/* SPDX-License-Identifier: MIT */
#include "relay/store/identity.h"

#include "relay/base/crc64.h"
#include "test.h"

enum { LIMIT = 1 << 16 };

static struct replid id_of(char digit)
{
    struct replid id = replid_none();
    memset(id.hex, digit, REPLID_DIGITS);
    return id;
}

static void add(struct identity *identity, uint64_t first, uint64_t end)
{
    struct identity_segment row = {first, end, first * 31 + end, end - 1};
    assert_true(identity_add_segment(identity, row));
}

/* One with everything in it. */
static void fill(struct identity *identity)
{
    struct replid a = id_of('a');
    struct replid b = id_of('b');
    struct replid c = id_of('c');
    identity_init(identity, &a);
    identity_rename(identity, &b, 100);
    identity_rename(identity, &c, 200);
    identity->base = 14;
    add(identity, 0, 64);
    add(identity, 64, 150);
    add(identity, 150, OFFSET_MAX - 7);
    identity->snapshot = (struct identity_snapshot){true, false, 77, 8400123, 0x1234};
}

static void assert_same(const struct identity *a, const struct identity *b)
{
    assert_string_equal(a->replid.hex, b->replid.hex);
    assert_int_equal(a->base, b->base);
    assert_int_equal(a->earlier_count, b->earlier_count);
    for (size_t i = 0; i < a->earlier_count; i++) {
        assert_string_equal(a->earlier[i].replid.hex, b->earlier[i].replid.hex);
        assert_int_equal(a->earlier[i].limit, b->earlier[i].limit);
    }
    assert_int_equal(a->segment_count, b->segment_count);
    for (size_t i = 0; i < a->segment_count; i++) {
        assert_int_equal(a->segments[i].first, b->segments[i].first);
        assert_int_equal(a->segments[i].end, b->segments[i].end);
        assert_int_equal(a->segments[i].crc, b->segments[i].crc);
        assert_int_equal(a->segments[i].boundary, b->segments[i].boundary);
    }
    assert_int_equal(a->snapshot.exists, b->snapshot.exists);
    if (!a->snapshot.exists)
        return;
    assert_int_equal(a->snapshot.verified, b->snapshot.verified);
    assert_int_equal(a->snapshot.offset, b->snapshot.offset);
    assert_int_equal(a->snapshot.length, b->snapshot.length);
    assert_int_equal(a->snapshot.crc, b->snapshot.crc);
}

static bool accepted(struct bytes file)
{
    struct identity parsed;
    struct text why;
    text_init(&why, 300);
    bool good = identity_parse(file, &parsed, &why);
    assert_int_equal(good, why.length == 0);
    if (good)
        identity_fini(&parsed);
    text_fini(&why);
    return good;
}

/* A file with that body and the right checksum of it. */
static bool body_accepted(const char *body)
{
    char file[2000];
    size_t length = strlen(body);
    int whole = snprintf(file, sizeof(file), "%ssum %016llx\n", body,
                         (unsigned long long)crc64(0, body, length));
    return accepted(bytes_at(file, (size_t)whole));
}

TEST(what_is_written_is_read)
{
    struct identity full;
    fill(&full);
    struct replid d = id_of('d');
    struct identity bare;
    identity_init(&bare, &d);
    struct identity *both[] = {&full, &bare};
    for (int i = 0; i < 2; i++) {
        struct text file;
        struct text why;
        text_init(&file, LIMIT);
        text_init(&why, 300);
        identity_format(both[i], &file);
        assert_false(file.failed);
        struct identity parsed;
        if (!identity_parse(text_bytes(&file), &parsed, &why))
            fail_msg("%s", text_string(&why));
        assert_same(&parsed, both[i]);
        identity_fini(&parsed);
        text_fini(&file);
        text_fini(&why);
        identity_fini(both[i]);
    }
}

TEST(a_segment_is_found_by_where_it_begins)
{
    struct identity identity;
    fill(&identity);
    static const uint64_t firsts[] = {0, 64, 150};
    for (size_t i = 0; i < LENGTH_OF(firsts); i++) {
        assert_true(identity_has_segment(&identity, firsts[i]));
        assert_false(identity_has_segment(&identity, firsts[i] + 1));
    }
    identity_drop_oldest(&identity, 3);
    assert_false(identity_has_segment(&identity, 64));
    identity_fini(&identity);
}

TEST(a_cut_or_altered_file_is_never_taken)
{
    struct identity full;
    fill(&full);
    struct text file;
    text_init(&file, LIMIT);
    identity_format(&full, &file);
    identity_fini(&full);
    struct bytes whole = text_bytes(&file);
    assert_true(accepted(whole));
    for (size_t length = 0; length < whole.length; length++)
        assert_false(accepted(bytes_first(whole, length)));
    for (size_t i = 0; i < whole.length * 8; i++) {
        file.data[i / 8] = (char)(file.data[i / 8] ^ (1 << i % 8));
        assert_false(accepted(whole));
        file.data[i / 8] = (char)(file.data[i / 8] ^ (1 << i % 8));
    }
    text_append_string(&file, "\n");
    assert_false(accepted(text_bytes(&file)));
    text_fini(&file);
}

#define HEAD "psync-relay identity 1\nreplid 0123456789012345678901234567890123456789\n"
#define ID40 "abcdefabcdefabcdefabcdefabcdefabcdefabcd"

TEST(what_this_version_does_not_know_is_refused)
{
    assert_true(body_accepted(HEAD));
    assert_true(body_accepted("psync-relay identity 2\nreplid " ID40 "\nbase 7\n"));
    assert_true(body_accepted(HEAD "segment 0 5 0000000000000001 5\n"));
    static const char *const bodies[] = {
        "",
        "psync-relay identity 1\n",
        "psync-relay identity 3\nreplid " ID40 "\n",
        HEAD "base -1\n",
        HEAD "base 1\nbase 2\n",
        "replid " ID40 "\npsync-relay identity 1\n",
        "psync-relay identity 1\nreplid " ID40 "a\n",
        "psync-relay identity 1\nreplid 0000000000000000000000000000000000000000\n",
        HEAD "\n",
        HEAD "colour blue\n",
        HEAD "earlier " ID40 "\n",
        HEAD "earlier " ID40 " -1\n",
        HEAD "earlier " ID40 " 1 2\n",
        HEAD "earlier  " ID40 " 1\n",
        HEAD "segment 5 5 0000000000000001 5\n",
        HEAD "segment 5 4 0000000000000001 4\n",
        HEAD "segment 0 5 0000000000000001 6\n",
        HEAD "segment 0 5 1 5\n",
        HEAD "segment 0 5 000000000000000G 5\n",
        HEAD "segment 0 5 0000000000000001 5\nsegment 6 7 0000000000000001 7\n",
        HEAD "snapshot 1 2 0000000000000000 perhaps\n",
        /* No stream comes so far: what is reckoned with it would overflow. */
        HEAD "earlier " ID40 " 9223372036854775808\n",
        HEAD "segment 0 9223372036854775797 0000000000000001 5\n",
        HEAD "snapshot 9223372036854775797 2 0000000000000000 verified\n",
        HEAD "snapshot 1 2 0000000000000000 verified\n"
             "snapshot 1 2 0000000000000000 verified\n",
    };
    for (size_t i = 0; i < LENGTH_OF(bodies); i++) {
        if (body_accepted(bodies[i]))
            fail_msg("accepted: %s", bodies[i]);
    }
}

TEST(sixteen_earlier_ids_are_kept_and_no_more_are_read)
{
    struct identity identity;
    struct replid first = id_of('0');
    identity_init(&identity, &first);
    for (unsigned i = 1; i <= 20; i++) {
        struct replid next = id_of((char)('a' + i % 6));
        snprintf(next.hex + 38, 3, "%02u", i);
        identity_rename(&identity, &next, i * 10);
    }
    assert_int_equal(identity.earlier_count, IDENTITY_EARLIER_MAX);
    for (unsigned i = 0; i < IDENTITY_EARLIER_MAX; i++) {
        assert_int_equal(identity.earlier[i].limit, (20 - i) * 10);
        assert_int_equal(strtol(identity.earlier[i].replid.hex + 38, NULL, 10), 19 - i);
    }
    struct text file;
    text_init(&file, LIMIT);
    identity_format(&identity, &file);
    assert_true(accepted(text_bytes(&file)));
    text_fini(&file);

    char body[2000] = HEAD;
    for (int i = 0; i < 17; i++) {
        assert_int_equal(body_accepted(body), i <= 16);
        strncat(body, "earlier " ID40 " 5\n", sizeof(body) - strlen(body) - 1);
    }
    assert_false(body_accepted(body));
}

TEST(a_rename_limits_the_ids_before_it)
{
    struct identity identity;
    struct replid a = id_of('a');
    struct replid b = id_of('b');
    struct replid c = id_of('c');
    identity_init(&identity, &a);
    identity_rename(&identity, &b, 300);
    identity_rename(&identity, &c, 200);
    assert_string_equal(identity.replid.hex, c.hex);
    assert_int_equal(identity.earlier_count, 2);
    assert_string_equal(identity.earlier[0].replid.hex, b.hex);
    assert_int_equal(identity.earlier[0].limit, 200);
    assert_string_equal(identity.earlier[1].replid.hex, a.hex);
    assert_int_equal(identity.earlier[1].limit, 200);
}

TEST(a_rewind_forgets_what_reaches_beyond_it)
{
    static const struct {
        uint64_t offset;
        size_t segments;
        uint64_t limits[2];
        bool snapshot;
    } rows[] = {
        {300, 3, {200, 100}, true}, {299, 2, {200, 100}, true}, {150, 2, {150, 100}, true},
        {149, 1, {149, 100}, true}, {77, 1, {77, 77}, true},    {76, 1, {76, 76}, false},
        {63, 0, {63, 63}, false},   {0, 0, {0, 0}, false},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct identity identity;
        fill(&identity);
        identity.segments[2].end = 300;
        identity_rewind(&identity, rows[i].offset);
        assert_int_equal(identity.segment_count, rows[i].segments);
        assert_int_equal(identity.earlier[0].limit, rows[i].limits[0]);
        assert_int_equal(identity.earlier[1].limit, rows[i].limits[1]);
        assert_int_equal(identity.snapshot.exists, rows[i].snapshot);
        identity_fini(&identity);
    }
}

TEST(segments_are_dropped_at_both_ends)
{
    struct identity identity;
    struct replid a = id_of('a');
    identity_init(&identity, &a);
    for (uint64_t i = 0; i < 100; i++)
        add(&identity, i * 10, i * 10 + 10);
    identity_drop_oldest(&identity, 0);
    identity_drop_oldest(&identity, 40);
    identity_drop_newest(&identity);
    assert_int_equal(identity.segment_count, 59);
    assert_int_equal(identity.segments[0].first, 400);
    assert_int_equal(identity.segments[58].end, 990);
    struct identity second;
    assert_true(identity_copy(&identity, &second));
    assert_same(&second, &identity);
    identity_drop_oldest(&identity, 59);
    assert_int_equal(identity.segment_count, 0);
    assert_int_equal(second.segments[0].first, 400);
    add(&second, 990, 1000);
    identity_fini(&second);
    identity_fini(&identity);
}
