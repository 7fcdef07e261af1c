/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/syncer.h"

#include "../../../relay/store/files.h"
#include "../../../relay/store/segment.h"
#include "place.h"

static struct place place;
static struct text why;
static struct segment_space *space;
static struct tail *tail;
static struct syncer *syncer;
static struct syncer_claim claim;

static int set_up(void **state)
{
    (void)state;
    place_init(&place);
    text_init(&why, 300);
    space = calloc(1, sizeof(*space));
    atomic_init(&space->references, 1);
    tail = tail_open(place.directory, &why);
    syncer = syncer_start();
    assert_non_null(syncer);
    claim = (struct syncer_claim){0};
    assert_int_equal(mkdirat(place.directory, "backlog", 0700), 0);
    place_write(&place, "identity", bytes_of("the first\n"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    syncer_stop(&syncer);
    tail_close(&tail);
    segment_space_release(space);
    text_fini(&why);
    place_fini(&place);
    return 0;
}

#define PLACE_TEST(name) TEST_SETUP(name, set_up, tear_down)

static struct segment *create(uint64_t first)
{
    struct segment *segment = segment_create(place.directory, first, 4096, space, &why);
    assert_non_null(segment);
    return segment;
}

/* A file that cannot be fsynced takes the place of the segment's; returns that one. */
static int break_file(struct segment *segment)
{
    int good = segment->file;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    segment->file = ends[0];
    return good;
}

static void mend_file(struct segment *segment, int good)
{
    close(segment->file);
    segment->file = good;
}

static void sync_up_to(struct segment *segment, uint64_t end, uint64_t held_from)
{
    struct syncer_job job = {
        .segment = segment,
        .directory = place.directory,
        .tail = tail,
        .mark = {.segment_first = segment->first, .end = end, .boundary = end},
        .held_from = held_from,
        .claim = &claim,
    };
    assert_true(syncer_submit(syncer, &job));
    syncer_drain(syncer);
    assert_false(syncer_is_busy(syncer));
}

static uint64_t farthest_mark(void)
{
    struct tail_mark marks[TAIL_MARKS_MAX];
    return tail_read(tail, marks) == 0 ? 0 : marks[0].end;
}

PLACE_TEST(what_is_synced_is_claimed)
{
    struct segment *segment = create(0);
    sync_up_to(segment, 100, 0);
    assert_int_equal(atomic_load(&claim.durable), 100);
    assert_int_equal(farthest_mark(), 100);
    sync_up_to(segment, 200, 0);
    assert_int_equal(atomic_load(&claim.durable), 200);
    assert_int_equal(syncer_failures(syncer), 0);
    segment_release(segment);
}

PLACE_TEST(a_sealed_segment_is_synced_without_a_mark)
{
    struct segment *segment = create(0);
    struct syncer_job job = {.segment = segment, .directory = -1, .claim = &claim};
    assert_true(syncer_submit(syncer, &job));
    syncer_drain(syncer);
    assert_int_equal(atomic_load(&claim.durable), 0);
    assert_int_equal(farthest_mark(), 0);
    assert_int_equal(syncer_failures(syncer), 0);
    segment_release(segment);
}

PLACE_TEST(a_job_is_in_nobodys_way)
{
    unsigned before = test_descriptors();
    struct segment *segment = create(0);
    struct syncer_job job = {.segment = segment, .directory = -1, .claim = &claim};
    for (int i = 0; i < 100; i++)
        assert_true(syncer_submit(syncer, &job));
    segment_release(segment);
    assert_int_equal(atomic_load(&space->bytes), 0);
    syncer_drain(syncer);
    assert_int_equal(syncer_failures(syncer), 0);
    assert_int_equal(test_descriptors(), before);
}

PLACE_TEST(what_was_submitted_is_done_before_it_stops)
{
    struct segment *segment = create(0);
    for (uint64_t end = 1; end <= 50; end++) {
        struct syncer_job job = {.segment = segment,
                                 .directory = -1,
                                 .tail = tail,
                                 .mark = {.end = end},
                                 .claim = &claim};
        assert_true(syncer_submit(syncer, &job));
    }
    syncer_stop(&syncer);
    assert_null(syncer);
    assert_int_equal(atomic_load(&claim.durable), 50);
    segment_release(segment);
}

PLACE_TEST(the_identity_is_kept_a_second_time)
{
    struct segment *segment = create(0);
    sync_up_to(segment, 1, 0);
    place_write(&place, "elsewhere", bytes_of("the second\n"));
    assert_int_equal(renameat(place.directory, "elsewhere", place.directory, "identity"), 0);
    size_t length;
    uint8_t *kept = place_read(&place, SYNCER_IDENTITY_KEPT, &length);
    assert_views_equal(bytes_at(kept, length), bytes_of("the first\n"));
    free(kept);
    sync_up_to(segment, 2, 0);
    sync_up_to(segment, 3, 0);
    kept = place_read(&place, SYNCER_IDENTITY_KEPT, &length);
    assert_views_equal(bytes_at(kept, length), bytes_of("the second\n"));
    free(kept);
    assert_int_equal(syncer_failures(syncer), 0);
    segment_release(segment);
}

PLACE_TEST(after_a_failure_nothing_is_claimed_while_the_segment_is_held)
{
    struct segment *broken = create(0);
    struct segment *next = create(4096);
    sync_up_to(broken, 100, 0);
    int file = break_file(broken);
    sync_up_to(broken, 200, 0);
    assert_int_equal(syncer_failures(syncer), 1);
    assert_int_equal(atomic_load(&claim.durable), 100);
    mend_file(broken, file);
    sync_up_to(broken, 300, 0); /* the kernel says yes again, and means nothing by it */
    assert_int_equal(atomic_load(&claim.durable), 100);
    assert_int_equal(farthest_mark(), 100);
    sync_up_to(next, 5000, 0); /* good itself, but there is a hole before it */
    assert_int_equal(atomic_load(&claim.durable), 100);
    assert_int_equal(farthest_mark(), 5000);
    sync_up_to(next, 5001, 4096); /* the window has left it behind */
    assert_int_equal(atomic_load(&claim.durable), 5001);
    segment_release(broken);
    segment_release(next);
}

PLACE_TEST(names_that_cannot_be_synced_are_a_failure)
{
    struct segment *segment = create(0);
    unlinkat(place.directory, "identity", 0);
    sync_up_to(segment, 100, 0);
    assert_int_equal(syncer_failures(syncer), 1);
    assert_int_equal(atomic_load(&claim.durable), 0);
    assert_int_equal(farthest_mark(), 0);
    segment_release(segment);
}
