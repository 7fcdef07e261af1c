/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/snapshot_private.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "place.h"
#include "rdb.h"
#include "relay/store/snapshot.h"

static struct place place;
static struct text why;
static struct rdb rdb;

static int set_up(void **state)
{
    (void)state;
    place_init(&place);
    text_init(&why, 500);
    rdb = rdb_make(5000, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rdb_free(&rdb);
    text_fini(&why);
    place_fini(&place);
    return 0;
}

#define PLACE_TEST(name) TEST_SETUP(name, set_up, tear_down)

static enum snapshot_space no_space(void *arg)
{
    (void)arg;
    return SNAPSHOT_SPACE_NONE;
}

static struct snapshot *create(uint64_t offset)
{
    struct error error;
    struct snapshot *snapshot = snapshot_reserve(offset, no_space, NULL);
    assert_non_null(snapshot);
    if (!snapshot_make_file(snapshot, place.directory, &error))
        fail_msg("%s", error.text);
    snapshot_note_made(snapshot);
    return snapshot;
}

/* As a history does it. */
static bool complete(struct snapshot *snapshot)
{
    struct error error;
    bool good = snapshot_prove(snapshot, &why);
    if (good && !snapshot_give_name(snapshot, place.directory, &error)) {
        text_append_string(&why, error.text);
        good = false;
    }
    if (good)
        snapshot_complete(snapshot);
    else
        snapshot_fail(snapshot, place.directory);
    return good;
}

static void put(struct snapshot *snapshot, struct bytes view)
{
    if (!snapshot_write(snapshot, view, &why))
        fail_msg("%s", text_string(&why));
}

/* Received whole, in pieces; announced with `length`, 0: with an end mark. */
static struct snapshot *receive(uint64_t offset, struct bytes content, uint64_t length)
{
    struct snapshot *snapshot = create(offset);
    if (length > 0)
        snapshot_expect(snapshot, length);
    for (size_t piece = 1; content.length > 0; piece = piece % 977 + 13) {
        size_t count = piece < content.length ? piece : content.length;
        put(snapshot, bytes_first(content, count));
        content = bytes_skip(content, count);
    }
    return snapshot;
}

static void assert_completes(struct snapshot *snapshot)
{
    if (!complete(snapshot))
        fail_msg("%s", text_string(&why));
    assert_int_equal(snapshot_state(snapshot), SNAPSHOT_COMPLETE);
}

static void assert_refused(struct snapshot *snapshot, const char *expected)
{
    text_clear(&why);
    assert_false(complete(snapshot));
    assert_string_equal(text_string(&why), expected);
    assert_int_equal(snapshot_state(snapshot), SNAPSHOT_FAILED);
    assert_true(snapshot_readable(snapshot) + SNAPSHOT_HELD_BACK <= snapshot_received(snapshot) ||
                snapshot_readable(snapshot) == 0);
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(snapshot_offset(snapshot), name);
    assert_true(place_loses(&place, name));
    char part[SNAPSHOT_NAME_MAX + 8];
    snprintf(part, sizeof(part), "%s.part", name);
    assert_true(place_loses(&place, part));
    snapshot_release(&snapshot);
}

static void assert_readable(const struct snapshot *snapshot, struct bytes content)
{
    assert_int_equal(snapshot_readable(snapshot), content.length);
    uint8_t *copy = malloc(content.length + 1);
    assert_int_equal(pread(snapshot_file(snapshot), copy, content.length + 1, 0), content.length);
    assert_memory_equal(copy, content.data, content.length);
    free(copy);
}

PLACE_TEST(a_whole_one_is_kept_as_it_came)
{
    for (int with_length = 0; with_length < 2; with_length++) {
        struct snapshot *snapshot = receive(4711, rdb_bytes(&rdb), with_length ? rdb.length : 0);
        uint64_t length = 0;
        assert_int_equal(snapshot_length(snapshot, &length), with_length);
        assert_true(place_has(&place, "4711.rdb.part"));
        assert_completes(snapshot);
        assert_true(snapshot_length(snapshot, &length));
        assert_int_equal(length, rdb.length);
        assert_true(snapshot_is_verified(snapshot));
        assert_readable(snapshot, rdb_bytes(&rdb));
        assert_views_equal(snapshot_magic(snapshot),
                           bytes_first(rdb_bytes(&rdb), SNAPSHOT_MAGIC_LENGTH));
        assert_true(place_loses(&place, "4711.rdb.part"));
        size_t kept;
        uint8_t *data = place_read(&place, "4711.rdb", &kept);
        assert_views_equal(bytes_at(data, kept), rdb_bytes(&rdb));
        free(data);
        struct identity_snapshot row = snapshot_row(snapshot);
        assert_int_equal(row.offset, 4711);
        assert_int_equal(row.length, rdb.length);
        assert_int_equal(row.crc, 0);
        snapshot_release(&snapshot);
        assert_null(snapshot);
    }
}

PLACE_TEST(a_length_that_does_not_come_true_is_refused)
{
    struct bytes whole = rdb_bytes(&rdb);
    assert_refused(receive(1, bytes_first(whole, 4999), 5000), "4999 of 5000 bytes came");
    assert_refused(receive(1, whole, 4999), "5000 of 4999 bytes came");
    assert_refused(receive(1, bytes_at(NULL, 0), 5000), "0 of 5000 bytes came");
}

PLACE_TEST(what_is_no_rdb_is_refused)
{
    static const char no_rdb[] = "this is no RDB: it does not begin with REDIS or VALKEY";
    assert_refused(receive(1, bytes_at(NULL, 0), 0), no_rdb);
    assert_refused(receive(1, bytes_first(rdb_bytes(&rdb), 17), 0), no_rdb);
    rdb.data[0] = 'P';
    assert_refused(receive(1, rdb_bytes(&rdb), 0), no_rdb);
    rdb_free(&rdb);
    rdb = rdb_make(100, 0);
    memcpy(rdb.data, "VALKEY080", 9);
    rdb_switch_checksum_off(&rdb);
    struct snapshot *snapshot = receive(1, rdb_bytes(&rdb), 0);
    assert_completes(snapshot);
    snapshot_release(&snapshot);
}

PLACE_TEST(an_end_mark_in_the_wrong_place_is_refused)
{
    for (size_t length = 30; length < 4990; length += 7) {
        struct bytes cut = bytes_first(rdb_bytes(&rdb), length);
        struct snapshot *snapshot = receive(1, cut, 0);
        assert_false(complete(snapshot));
        snapshot_release(&snapshot);
    }
}

PLACE_TEST(a_flipped_bit_is_found_wherever_it_is)
{
    for (size_t i = 0; i < rdb.length; i += i < 20 || i >= rdb.length - 20 ? 1 : 41) {
        rdb.data[i] ^= 1;
        struct snapshot *snapshot = receive(1, rdb_bytes(&rdb), rdb.length);
        assert_false(complete(snapshot));
        assert_int_equal(snapshot_state(snapshot), SNAPSHOT_FAILED);
        snapshot_release(&snapshot);
        rdb.data[i] ^= 1;
    }
    char message[100];
    rdb.data[100] ^= 1;
    snprintf(message, sizeof(message), "the RDB's CRC-64 does not match its 5000 bytes");
    assert_refused(receive(1, rdb_bytes(&rdb), 0), message);
}

PLACE_TEST(without_a_checksum_length_and_end_must_do)
{
    rdb_switch_checksum_off(&rdb);
    struct snapshot *snapshot = receive(1, rdb_bytes(&rdb), rdb.length);
    assert_completes(snapshot);
    assert_false(snapshot_is_verified(snapshot));
    assert_int_equal(snapshot_row(snapshot).crc, crc64(0, rdb.data, rdb.length));
    snapshot_release(&snapshot);
    rdb.data[rdb.length - 9] = 0xfe;
    assert_refused(receive(2, rdb_bytes(&rdb), rdb.length),
                   "the RDB has no end opcode where it should end");
}

PLACE_TEST(the_footer_is_held_back_until_the_whole_is_proven)
{
    struct snapshot *snapshot = create(1);
    assert_int_equal(snapshot_readable(snapshot), 0);
    for (size_t i = 0; i < rdb.length; i++) {
        put(snapshot, bytes_at(rdb.data + i, 1));
        uint64_t expected = i + 1 > SNAPSHOT_HELD_BACK ? i + 1 - SNAPSHOT_HELD_BACK : 0;
        assert_int_equal(snapshot_readable(snapshot), expected);
        assert_int_equal(snapshot_state(snapshot), SNAPSHOT_ARRIVING);
    }
    assert_completes(snapshot);
    assert_readable(snapshot, rdb_bytes(&rdb));
    snapshot_release(&snapshot);
}

PLACE_TEST(one_of_the_same_offset_takes_the_place_of_the_other)
{
    struct snapshot *before = receive(7, rdb_bytes(&rdb), 0);
    assert_completes(before);
    struct rdb second = rdb_make(3000, 1);
    struct snapshot *after = receive(7, rdb_bytes(&second), 0);
    assert_completes(after);
    assert_readable(before, rdb_bytes(&rdb)); /* who has it reads on */
    assert_readable(after, rdb_bytes(&second));
    assert_int_equal(place_length(&place, "7.rdb"), 3000);
    snapshot_unlink(after, place.directory, NULL);
    assert_readable(after, rdb_bytes(&second));
    snapshot_release(&before);
    snapshot_release(&after);
    rdb_free(&second);
}

PLACE_TEST(a_half_received_one_is_begun_anew)
{
    struct snapshot *half = receive(7, bytes_first(rdb_bytes(&rdb), 2000), 0);
    struct snapshot *whole = receive(7, rdb_bytes(&rdb), 0);
    assert_completes(whole);
    assert_readable(whole, rdb_bytes(&rdb));
    assert_int_equal(snapshot_readable(half), 2000 - SNAPSHOT_HELD_BACK);
    snapshot_release(&half);
    snapshot_release(&whole);
}

static bool loads(struct identity_snapshot row)
{
    struct error error = {.kind = ERROR_NONE};
    struct snapshot *snapshot = snapshot_load(place.directory, &row, NULL, &error);
    if (snapshot == NULL) {
        assert_int_not_equal(error.kind, ERROR_NONE);
        assert_int_equal(strncmp(error.text, "7.rdb: ", 7), 0);
        return false;
    }
    assert_int_equal(snapshot_state(snapshot), SNAPSHOT_COMPLETE);
    assert_int_equal(snapshot_readable(snapshot), row.length);
    assert_int_equal(snapshot_is_verified(snapshot), row.verified);
    snapshot_release(&snapshot);
    return true;
}

PLACE_TEST(it_is_loaded_only_as_it_was)
{
    for (int checksum = 1; checksum >= 0; checksum--) {
        if (!checksum)
            rdb_switch_checksum_off(&rdb);
        struct snapshot *snapshot = receive(7, rdb_bytes(&rdb), 0);
        assert_completes(snapshot);
        struct identity_snapshot row = snapshot_row(snapshot);
        snapshot_release(&snapshot);
        assert_true(loads(row));
        for (int64_t i = 0; i < 5000; i += 99) {
            place_flip(&place, "7.rdb", i);
            assert_false(loads(row));
            place_flip(&place, "7.rdb", i);
        }
        row.crc ^= 1;
        assert_false(loads(row));
        row.crc ^= 1;
        place_cut(&place, "7.rdb", 4999);
        assert_false(loads(row));
        place_cut(&place, "7.rdb", 5000); /* a zero where the last byte was */
        assert_int_equal(loads(row), !checksum || rdb.data[4999] == 0);
        place_cut(&place, "7.rdb", 0);
        place_cut(&place, "7.rdb", 5000);
        assert_false(loads(row)); /* the CRC-64 of zeros is that of a whole RDB */
        unlinkat(place.directory, "7.rdb", 0);
        assert_false(loads(row));
    }
}

PLACE_TEST(a_disk_that_refuses_is_told)
{
    unsigned before = test_descriptors();
    int nowhere = dup(place.directory);
    close(nowhere);
    struct error error;
    struct snapshot *unmade = snapshot_reserve(1, no_space, NULL);
    assert_non_null(unmade);
    assert_true(snapshot_write(unmade, bytes_of("REDIS"), &why)); /* it may still be made */
    assert_true(snapshot_owes(unmade));
    assert_false(snapshot_make_file(unmade, nowhere, &error));
    assert_string_equal(error.text, "1.rdb.part: cannot create: Bad file descriptor");
    snapshot_refuse(unmade, &error);
    assert_false(snapshot_write_owed(unmade, &why));
    assert_string_equal(text_string(&why), error.text);
    assert_string_equal(snapshot_error(unmade), "Bad file descriptor");
    snapshot_release(&unmade);
    text_clear(&why);
    struct snapshot *snapshot = receive(1, rdb_bytes(&rdb), 0);
    unlinkat(place.directory, "1.rdb.part", 0);
    assert_refused(snapshot, "1.rdb.part: cannot rename: No such file or directory");
    assert_int_equal(test_descriptors(), before);
}

/* Reads it as it comes, and to its end. */
struct reading {
    struct snapshot *snapshot;
    uint64_t read;
    bool wrong;
    enum snapshot_state last;
};

static void *read_as_it_comes(void *arg)
{
    struct reading *reading = arg;
    uint8_t piece[700];
    for (;;) {
        enum snapshot_state state = snapshot_state(reading->snapshot);
        uint64_t readable = snapshot_readable(reading->snapshot);
        while (reading->read < readable) {
            uint64_t left = readable - reading->read;
            size_t most = left < sizeof(piece) ? (size_t)left : sizeof(piece);
            ssize_t got =
                pread(snapshot_file(reading->snapshot), piece, most, (off_t)reading->read);
            if (got <= 0 || memcmp(piece, rdb.data + reading->read, (size_t)got) != 0) {
                reading->wrong = true;
                return NULL;
            }
            reading->read += (uint64_t)got;
        }
        reading->last = state;
        if (state != SNAPSHOT_ARRIVING)
            break;
    }
    snapshot_release(&reading->snapshot);
    return NULL;
}

PLACE_TEST(readers_follow_while_it_arrives)
{
    for (int good = 1; good >= 0; good--) {
        rdb_free(&rdb);
        rdb = rdb_make(300 * 1000, 3);
        if (!good)
            rdb.data[299990] ^= 1;
        struct snapshot *snapshot = create(9);
        struct reading readings[3];
        pthread_t threads[3];
        for (int i = 0; i < 3; i++) {
            readings[i] = (struct reading){.snapshot = snapshot};
            snapshot_retain(snapshot);
            assert_int_equal(pthread_create(&threads[i], NULL, read_as_it_comes, &readings[i]), 0);
        }
        for (size_t at = 0; at < rdb.length; at += 1000)
            put(snapshot, bytes_at(rdb.data + at, 1000));
        assert_int_equal(complete(snapshot), good);
        snapshot_release(&snapshot);
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
            assert_false(readings[i].wrong);
            assert_int_equal(readings[i].last, good ? SNAPSHOT_COMPLETE : SNAPSHOT_FAILED);
            assert_int_equal(readings[i].read, good ? rdb.length : rdb.length - SNAPSHOT_HELD_BACK);
        }
    }
}
