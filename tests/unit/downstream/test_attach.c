/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/attach.h"

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "fake_readahead.h"
#include "fake_store.h"
#include "relay/base/crc64.h"
#include "test.h"

#define ID_NOW "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_BEFORE "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_NEXT "cccccccccccccccccccccccccccccccccccccccc"
#define ID_OTHER "dddddddddddddddddddddddddddddddddddddddd"

/* The current history: known as ID_BEFORE up to 20, as ID_NOW to its end. */
enum { FIRST = 10, LIMIT = 20, END = 30 };

#define RDB LITERAL("REDIS0011 this is no RDB, but nobody looks")

static struct history *make_current(void)
{
    struct history *history = fake_history_new(1, ID_BEFORE, FIRST);
    fake_history_append(history, LITERAL("0123456789"));
    fake_history_rename(history, ID_NOW);
    fake_history_append(history, LITERAL("0123456789"));
    return history;
}

enum shot { NO_SHOT, OLD, WHOLE, NOTHING_YET, WITH_LENGTH, WITHOUT_LENGTH, TAKEN_AHEAD, SHOTS };

static struct snapshot *make_shot(enum shot shot, uint64_t offset)
{
    if (shot == NO_SHOT)
        return NULL;
    struct snapshot *snapshot = fake_snapshot_new(offset, RDB);
    if (shot == OLD || shot == WHOLE) {
        fake_snapshot_set_state(snapshot, SNAPSHOT_COMPLETE);
        return snapshot;
    }
    if (shot != NOTHING_YET)
        fake_snapshot_set_readable(snapshot, 5);
    if (shot == WITH_LENGTH || shot == TAKEN_AHEAD)
        fake_snapshot_announce_length(snapshot);
    return snapshot;
}

/* One point of the domain. */
struct point {
    bool has_current;
    enum shot shot;     /* of the current history */
    bool has_arriving;  /* another history, known as ID_NEXT, from 100 on */
    enum shot arriving; /* its snapshot: NOTHING_YET, WITH_LENGTH or WITHOUT_LENGTH */
    int id;             /* -2: SYNC, -1: "?", else of ids[] */
    uint64_t offset;
    struct replica_terms terms;
    bool stream_wait_is_over;
};

static const char *const ids[] = {ID_NOW, ID_BEFORE, ID_NEXT, ID_OTHER};
static const uint64_t offsets[] = {0, 9, 10, 19, 20, 21, 29, 30, 31, 99, 100, 101};

static void make_store(const struct point *point)
{
    static const uint64_t x[SHOTS] = {
        [OLD] = 5,          [WHOLE] = 12,          [NOTHING_YET] = 15,
        [WITH_LENGTH] = 15, [WITHOUT_LENGTH] = 15, [TAKEN_AHEAD] = 35};
    if (point->has_current) {
        fake_store.current = make_current();
        struct snapshot *snapshot = make_shot(point->shot, x[point->shot]);
        bool whole = point->shot == OLD || point->shot == WHOLE;
        fake_history_set_snapshots(fake_store.current, whole ? snapshot : NULL,
                                   whole ? NULL : snapshot);
    }
    if (point->has_arriving) {
        fake_store.arriving = fake_history_new(2, ID_NEXT, 100);
        fake_history_set_snapshots(fake_store.arriving, NULL, make_shot(point->arriving, 100));
    }
}

static struct psync_request make_request(const struct point *point)
{
    struct psync_request request = {.has_replid = point->id >= 0, .offset = point->offset};
    if (request.has_replid)
        assert_true(replid_parse(bytes_of(ids[point->id]), &request.replid));
    return request;
}

/* Do the bytes that the replica has begin ours, as far as the ids say so? */
static bool are_ours(const struct point *point)
{
    if (!point->has_current || point->id < 0 || point->terms.rdb_only)
        return false;
    if (point->id == 0)
        return true;
    return point->id == 1 && point->offset <= LIMIT && point->terms.capa_psync2;
}

static bool is_next(const struct point *point)
{
    return point->has_arriving && point->id == 2 && point->offset >= 100 &&
           !point->terms.rdb_only && (point->offset == 100 || !point->stream_wait_is_over);
}

static void check_full(const struct point *point, const struct attach_plan *plan)
{
    assert_non_null(plan->snapshot);
    assert_int_equal(plan->offset, snapshot_offset(plan->snapshot));
    assert_in_range(plan->offset, history_first(plan->history), history_published(plan->history));
    assert_true(plan->has_length || point->terms.capa_eof);
    assert_true(snapshot_received(plan->snapshot) > 0);
    /* The current history goes first. */
    bool current_has = point->has_current && point->shot != NO_SHOT && point->shot != OLD;
    assert_ptr_equal(plan->history, current_has ? fake_store.current : fake_store.arriving);
}

static enum attach_verdict expected_empty(const struct point *point)
{
    return point->has_current ? ATTACH_EMPTY : ATTACH_WAIT_FOR_STORE;
}

static bool can_be_sent(const struct point *point, enum shot shot)
{
    return shot == WHOLE || shot == WITH_LENGTH ||
           (shot == WITHOUT_LENGTH && point->terms.capa_eof);
}

static enum attach_verdict expected_full(const struct point *point)
{
    if (point->has_current && point->shot != NO_SHOT && point->shot != OLD)
        return can_be_sent(point, point->shot) ? ATTACH_FULL : ATTACH_WAIT_FOR_STORE;
    if (point->has_arriving)
        return can_be_sent(point, point->arriving) ? ATTACH_FULL : ATTACH_WAIT_FOR_STORE;
    return point->has_current ? ATTACH_FETCH_SNAPSHOT : ATTACH_WAIT_FOR_STORE;
}

static enum attach_verdict expected(const struct point *point)
{
    if (are_ours(point) && point->offset >= FIRST && point->offset <= END)
        return ATTACH_CONTINUE;
    if (are_ours(point) && point->offset > END && !point->stream_wait_is_over)
        return ATTACH_WAIT_FOR_STREAM;
    if (is_next(point))
        return ATTACH_WAIT_FOR_STORE;
    if (point->terms.filter_empty && !point->terms.rdb_only)
        return expected_empty(point);
    return expected_full(point);
}

/* Bare "+CONTINUE" cannot carry an id, so it also must not have to: a replica without psync2 that is
 * in ID_NEXT is so under its current id. */
static void check_point(const struct point *point)
{
    struct psync_request request = make_request(point);
    struct attach_wish wish = {
        .request = point->id == -2 ? NULL : &request,
        .terms = &point->terms,
        .stream_wait_is_over = point->stream_wait_is_over,
    };
    struct attach_plan plan = attach_decide(&fake_store, &wish);
    if (plan.verdict != expected(point))
        fail_msg("verdict %d, expected %d: current %d shot %d arriving %d/%d id %d offset %d "
                 "eof %d psync2 %d only %d empty %d over %d",
                 (int)plan.verdict, (int)expected(point), point->has_current, (int)point->shot,
                 point->has_arriving, (int)point->arriving, point->id, (int)point->offset,
                 point->terms.capa_eof, point->terms.capa_psync2, point->terms.rdb_only,
                 point->terms.filter_empty, point->stream_wait_is_over);
    if (plan.verdict == ATTACH_FULL)
        check_full(point, &plan);
    if (plan.verdict == ATTACH_CONTINUE)
        assert_int_equal(plan.offset, point->offset);
}

static unsigned check_requests(struct point *point)
{
    unsigned count = 0;
    for (point->id = -2; point->id < (int)LENGTH_OF(ids); point->id++) {
        for (size_t i = 0; i < LENGTH_OF(offsets); i++) {
            point->offset = offsets[i];
            check_point(point);
            count++;
        }
    }
    return count;
}

/* Every combination of terms. */
static unsigned check_terms(struct point *point)
{
    unsigned count = 0;
    for (unsigned bits = 0; bits < 32; bits++) {
        point->terms = (struct replica_terms){
            .capa_eof = (bits & 1) != 0,
            .capa_psync2 = (bits & 2) != 0,
            .rdb_only = (bits & 4) != 0,
            .filter_empty = (bits & 8) != 0,
        };
        point->stream_wait_is_over = (bits & 16) != 0;
        count += check_requests(point);
    }
    return count;
}

static unsigned check_store(struct point point)
{
    make_store(&point);
    unsigned count = check_terms(&point);
    fake_store_reset();
    return count;
}

TEST(every_request_meets_every_store)
{
    unsigned count = 0;
    static const enum shot arrivals[] = {NO_SHOT, NOTHING_YET, WITH_LENGTH, WITHOUT_LENGTH};
    for (size_t i = 0; i < LENGTH_OF(arrivals); i++) {
        struct point point = {.has_arriving = i > 0, .arriving = arrivals[i]};
        count += check_store(point);
        point.has_current = true;
        for (point.shot = NO_SHOT; point.shot < SHOTS; point.shot++)
            count += check_store(point);
    }
    assert_int_equal(count, 4 * 8 * 32 * 6 * 12);
}

/* ---- what is sent ---- */

struct sent {
    struct feed feed;
    struct text head;
};

static void perform(struct sent *sent, const struct attach_wish *wish, enum attach_verdict verdict)
{
    text_init(&sent->head, 4096);
    feed_init(&sent->feed, &sent->head);
    struct attach_plan plan = attach_decide(&fake_store, wish);
    assert_int_equal(plan.verdict, verdict);
    assert_true(attach_perform(&plan, wish, &sent->feed));
}

static void done(struct sent *sent)
{
    feed_fini(&sent->feed);
    fake_store_reset();
}

static const struct replica_terms modern = {.capa_eof = true, .capa_psync2 = true};

TEST(a_continuing_replica_learns_the_id)
{
    fake_store.current = make_current();
    struct psync_request request = make_request(&(struct point){.id = 1, .offset = 15});
    struct sent sent;
    perform(&sent, &(struct attach_wish){.request = &request, .terms = &modern}, ATTACH_CONTINUE);
    assert_view(text_bytes(&sent.feed.head), "+CONTINUE " ID_NOW "\r\n");
    assert_int_equal(sent.feed.cursor.offset, 15);
    done(&sent);
}

TEST(an_old_replica_gets_a_bare_continue)
{
    fake_store.current = make_current();
    struct psync_request request = make_request(&(struct point){.id = 0, .offset = 15});
    struct replica_terms old = {.capa_eof = true};
    struct sent sent;
    perform(&sent, &(struct attach_wish){.request = &request, .terms = &old}, ATTACH_CONTINUE);
    assert_view(text_bytes(&sent.feed.head), "+CONTINUE\r\n");
    done(&sent);
}

static struct snapshot *serve(enum shot shot)
{
    make_store(&(struct point){.has_current = true, .shot = shot});
    struct snapshot *snapshot = history_usable_snapshot(fake_store.current);
    assert_non_null(snapshot);
    return snapshot;
}

TEST(a_full_sync_holds_snapshot_and_stream)
{
    struct snapshot *snapshot = serve(WHOLE);
    struct psync_request request = make_request(&(struct point){.id = -1});
    struct sent sent;
    perform(&sent, &(struct attach_wish){.request = &request, .terms = &modern}, ATTACH_FULL);
    assert_view(text_bytes(&sent.feed.head), "+FULLRESYNC " ID_NOW " 12\r\n$42\r\n");
    assert_int_equal(sent.feed.cursor.offset, 12);
    assert_int_equal(fake_history_cursor_count(fake_store.current), 1);
    assert_int_equal(fake_snapshot_references(snapshot), 2);
    assert_false(sent.feed.has_mark);
    done(&sent);
}

/* ---- the rest of an RDB ---- */

static struct replica_terms relay_terms(void)
{
    struct replica_terms terms = {
        .capa_eof = true, .capa_psync2 = true, .is_relay = true, .has_part = true};
    terms.part = (struct rdb_part){.offset = 12, .length = 142, .bytes = 100, .crc = 7};
    assert_true(replid_parse(bytes_of(ID_NOW), &terms.part.replid));
    return terms;
}

/* What the store says of its part. */
static void say_of_part(enum part_match match, const struct replica_terms *terms,
                        struct snapshot *snapshot)
{
    fake_store.part = terms->part;
    fake_store.part_match = match;
    fake_store.part_history = fake_store.current;
    fake_store.part_snapshot = snapshot;
}

static enum attach_verdict verdict_of(const struct replica_terms *terms, int id, uint64_t offset)
{
    struct psync_request request = make_request(&(struct point){.id = id, .offset = offset});
    return attach_decide(&fake_store, &(struct attach_wish){.request = &request, .terms = terms})
        .verdict;
}

/* A relay whose window is shorter than ours was sent the same RDB again and again, which its window had left behind. */
TEST(a_relay_is_not_sent_an_rdb_that_is_too_old_for_it)
{
    struct snapshot *snapshot = serve(WHOLE);
    uint64_t offset = snapshot_offset(snapshot);
    uint64_t published = history_published(fake_store.current);
    struct replica_terms terms = relay_terms();
    terms.has_part = false;
    terms.rdb_only = true;
    struct psync_request request = make_request(&(struct point){.id = -1});
    struct attach_wish wish = {.request = &request, .terms = &terms};
    terms.rdb_from = offset;
    assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_FULL);
    for (terms.rdb_from = offset + 1; terms.rdb_from <= published; terms.rdb_from++) {
        struct attach_plan plan = attach_decide(&fake_store, &wish);
        assert_int_equal(plan.verdict, ATTACH_FETCH_SNAPSHOT);
        assert_int_equal(plan.wanted_from, terms.rdb_from);
    }
    assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_WAIT_FOR_STORE);
    /* For its own full sync any is good: its window begins there. */
    terms.rdb_only = false;
    assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_FULL);
}

TEST(the_rest_is_sent_behind_what_is_there)
{
    struct snapshot *snapshot = serve(WHOLE);
    struct replica_terms terms = relay_terms();
    terms.part.length = 42;
    terms.part.bytes = 40;
    say_of_part(PART_MATCHES, &terms, snapshot);
    struct psync_request request = make_request(&(struct point){.id = -1});
    struct sent sent;
    perform(&sent, &(struct attach_wish){.request = &request, .terms = &terms}, ATTACH_FULL);
    assert_view(text_bytes(&sent.feed.head), "+FULLRESYNC " ID_NOW " 12 resume 40\r\n$42\r\n");
    assert_int_equal(sent.feed.snapshot_sent, 40);
    assert_int_equal(sent.feed.cursor.offset, 12);
    done(&sent);
}

TEST(the_rest_waits_until_it_is_compared)
{
    struct snapshot *snapshot = serve(WHOLE);
    struct replica_terms terms = relay_terms();
    say_of_part(PART_UNREAD, &terms, snapshot);
    assert_int_equal(verdict_of(&terms, -1, 0), ATTACH_COMPARE_RDB);
    say_of_part(PART_WAITS, &terms, snapshot);
    assert_int_equal(verdict_of(&terms, -1, 0), ATTACH_WAIT_FOR_STORE);
    fake_store_reset();
}

/* What can continue does, whatever it has of an RDB; what is of another RDB begins anew. */
TEST(the_rest_is_not_sent_to_who_needs_none_or_has_another)
{
    struct snapshot *snapshot = serve(WHOLE);
    struct replica_terms terms = relay_terms();
    say_of_part(PART_UNREAD, &terms, snapshot);
    assert_int_equal(verdict_of(&terms, 0, 15), ATTACH_CONTINUE);
    say_of_part(PART_OTHER, &terms, snapshot);
    struct psync_request request = make_request(&(struct point){.id = -1});
    struct sent sent;
    perform(&sent, &(struct attach_wish){.request = &request, .terms = &terms}, ATTACH_FULL);
    assert_view(text_bytes(&sent.feed.head), "+FULLRESYNC " ID_NOW " 12\r\n$42\r\n");
    assert_int_equal(sent.feed.snapshot_sent, 0);
    done(&sent);
}

/* SYNC has no answer that could say so. */
TEST(sync_is_never_resumed)
{
    struct snapshot *snapshot = serve(WHOLE);
    struct replica_terms terms = relay_terms();
    say_of_part(PART_MATCHES, &terms, snapshot);
    struct sent sent;
    perform(&sent, &(struct attach_wish){.terms = &terms}, ATTACH_FULL);
    assert_view(text_bytes(&sent.feed.head), "$42\r\n");
    assert_int_equal(sent.feed.snapshot_sent, 0);
    done(&sent);
}

/* Another id is on its way to the disk: nobody is attached under the one before. */
TEST(who_comes_while_the_history_settles_waits)
{
    (void)serve(WHOLE);
    for (int id = -1; id < 2; id++) {
        struct psync_request request = make_request(&(struct point){.id = id, .offset = END});
        const struct attach_wish wish = {.request = &request, .terms = &modern};
        fake_history_set_settling(fake_store.current, true);
        assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_WAIT_FOR_STORE);
        fake_history_set_awaits_room(fake_store.current, true); /* which may take hours */
        assert_int_not_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_WAIT_FOR_STORE);
        fake_history_set_awaits_room(fake_store.current, false);
        assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_WAIT_FOR_STORE);
        fake_history_set_settling(fake_store.current, false);
        assert_int_not_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_WAIT_FOR_STORE);
    }
    fake_store_reset();
}

TEST(sync_gets_no_offsets)
{
    (void)serve(WHOLE);
    struct sent sent;
    perform(&sent, &(struct attach_wish){.terms = &modern}, ATTACH_FULL);
    assert_view(text_bytes(&sent.feed.head), "$42\r\n");
    done(&sent);
}

TEST(an_rdb_of_unknown_length_is_framed_by_a_mark_of_ours)
{
    (void)serve(WITHOUT_LENGTH);
    struct psync_request request = make_request(&(struct point){.id = -1});
    struct sent sent;
    perform(&sent, &(struct attach_wish){.request = &request, .terms = &modern}, ATTACH_FULL);
    char head[200];
    snprintf(head, sizeof(head), "+FULLRESYNC " ID_NOW " 15\r\n$EOF:%s\r\n", sent.feed.mark);
    assert_view(text_bytes(&sent.feed.head), head);
    assert_int_equal(strlen(sent.feed.mark), 40);
    assert_true(sent.feed.has_mark);
    done(&sent);
}

TEST(who_wants_the_rdb_only_holds_no_stream)
{
    (void)serve(WHOLE);
    struct replica_terms terms = {.capa_eof = true, .rdb_only = true};
    struct sent sent;
    perform(&sent, &(struct attach_wish){.terms = &terms}, ATTACH_FULL);
    assert_false(sent.feed.has_stream);
    assert_int_equal(fake_history_cursor_count(fake_store.current), 0);
    done(&sent);
}

TEST(the_empty_rdb_is_whole)
{
    fake_store.current = make_current();
    history_set_boundary(fake_store.current, 27);
    struct replica_terms terms = {.capa_eof = true, .filter_empty = true};
    struct sent sent;
    perform(&sent, &(struct attach_wish){.terms = &terms}, ATTACH_EMPTY);
    struct bytes head = text_bytes(&sent.feed.head);
    assert_views_equal(bytes_first(head, 15), LITERAL("$18\r\nREDIS0009\xff"));
    assert_int_equal(head.length, 5 + 18);
    assert_int_equal(crc64(0, head.data + 5, 18), 0);
    assert_int_equal(sent.feed.cursor.offset, 27);
    assert_null(sent.feed.snapshot);
    done(&sent);
}

TEST(the_stream_alone_begins_at_a_published_boundary)
{
    fake_store.current = make_current();
    struct replica_terms terms = {.filter_empty = true};
    struct attach_wish wish = {.terms = &terms};
    history_set_boundary(fake_store.current, END + 1);
    assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_WAIT_FOR_STORE);
    history_set_boundary(fake_store.current, FIRST - 1);
    assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_WAIT_FOR_STORE);
    history_set_boundary(fake_store.current, FIRST);
    assert_int_equal(attach_decide(&fake_store, &wish).verdict, ATTACH_EMPTY);
    fake_store_reset();
}

TEST(a_window_that_moved_on_meanwhile_is_noticed)
{
    fake_store.current = make_current();
    struct psync_request request = make_request(&(struct point){.id = 0, .offset = 15});
    struct attach_wish wish = {.request = &request, .terms = &modern};
    struct attach_plan plan = attach_decide(&fake_store, &wish);
    fake_history_set_first(fake_store.current, 16);
    struct sent sent;
    text_init(&sent.head, 4096);
    feed_init(&sent.feed, &sent.head);
    assert_false(attach_perform(&plan, &wish, &sent.feed));
    assert_int_equal(sent.feed.head.length, 0);
    done(&sent);
}
