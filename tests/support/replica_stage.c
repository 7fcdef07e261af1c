/* SPDX-License-Identifier: MIT */
#include "replica_stage.h"

#include "../../relay/downstream/attach.h"

#include <errno.h>

#include "fake_readahead.h"
#include "relay/base/log.h"

struct stage stage;

int stage_set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    stage = (struct stage){.loop = loop_new(&(struct error){0})};
    stage.history = fake_history_new(1, STAGE_ID, STAGE_X);
    stage.terms = (struct replica_terms){.capa_eof = true, .capa_psync2 = true};
    fake_store.current = stage.history;
    return 0;
}

int stage_tear_down(void **state)
{
    (void)state;
    if (!stage.gone && stage.replica != NULL)
        replica_close(stage.replica, CLOSE_SHUTDOWN);
    while (fake_readahead_count() > 0)
        fake_readahead_do(ECANCELED, replica_on_read);
    loop_free(&stage.loop);
    fake_readahead_reset();
    fake_conn_reset();
    fake_store_reset();
    return 0;
}

static void on_gone(struct replica *replica, struct replica_stats *stats, void *arg)
{
    assert_ptr_equal(replica, stage.replica);
    assert_ptr_equal(stats, &stage.stats);
    assert_ptr_equal(arg, &stage);
    assert_false(stage.gone);
    stage.gone = true;
    loop_defer(stage.loop, replica_free, replica);
}

static void forward(struct conn *conn, enum conn_event event, void *arg)
{
    (void)arg;
    if (stage.replica != NULL)
        replica_on_conn(conn, event, stage.replica);
}

void stage_come(enum ask ask, uint64_t offset, struct bytes input, size_t room)
{
    const struct conn_options options = {.keepalive_s = 0};
    stage.peer = conn_accept(stage.loop, 3, &options, forward, NULL);
    assert_non_null(stage.peer);
    /* As on a fake connection that is up: nothing is wanted yet, so only UP is told. */
    fake_conn_up(stage.peer);
    fake_conn_set_room(stage.peer, room);
    stage.request.has_replid = ask == ASK_CONTINUE;
    stage.request.offset = offset;
    assert_true(replid_parse(bytes_of(STAGE_ID), &stage.request.replid));
    stage.stats =
        (struct replica_stats){.id = 7, .acknowledges = ask != ASK_SYNC, .terms = stage.terms};
    snprintf(stage.stats.peer, sizeof(stage.stats.peer), "%s", conn_peer(stage.peer));

    struct text owed;
    text_init(&owed, 1024);
    text_append_string(&owed, "+OK\r\n");
    stage.replica =
        replica_new(&stage.stats, &owed, STAGE_TIMEOUT_MS, ask == ASK_SYNC ? NULL : &stage.request);
    assert_non_null(stage.replica);
    stage.replica->on_gone = on_gone;
    stage.replica->on_gone_arg = &stage;
    replica_begin(stage.replica, stage.peer, input);
}

void stage_wait_for_answer(enum ask ask, uint64_t offset, struct bytes input)
{
    stage_come(ask, offset, input, SIZE_MAX);
}

void stage_answer(enum ask ask)
{
    struct attach_wish wish = {.request = ask == ASK_SYNC ? NULL : &stage.request,
                               .terms = &stage.terms,
                               .codec = stage.codec};
    struct attach_plan plan = attach_decide(&fake_store, &wish);
    assert_true(attach_perform(&plan, &wish, &stage.replica->feed));
    stage.replica->feed.compression.cache = stage.cache;
    stage.replica->loop = stage.loop;
    stage.replica->readahead = readahead_new(NULL);
    stage.stats.full_sync = plan.verdict != ATTACH_CONTINUE;
    REPLICA_STATS_SET(&stage.stats, sent_offset, plan.offset);
    replica_start(stage.replica, attach_cause(&plan));
    fake_loop_turn(stage.loop);
}

void stage_attach(enum ask ask, uint64_t offset)
{
    stage_wait_for_answer(ask, offset, bytes_at(NULL, 0));
    stage_answer(ask);
    fake_conn_run(stage.peer);
}

void stage_wake(void)
{
    replica_handle(stage.replica, REPLICA_EVENT_WAKE);
    fake_loop_turn(stage.loop);
    fake_conn_run(stage.peer);
}

void stage_pass_seconds(unsigned seconds)
{
    for (unsigned i = 0; i < seconds && !stage.gone; i++) {
        fake_clock_advance(1000);
        replica_handle(stage.replica, REPLICA_EVENT_TICK);
    }
}

void stage_hear(const char *bytes)
{
    fake_conn_feed(stage.peer, bytes_of(bytes));
    fake_conn_run(stage.peer);
}

void stage_expect_sent(const char *expected)
{
    assert_view(fake_conn_sent(stage.peer), expected);
    fake_conn_forget_sent(stage.peer);
}

void stage_expect_state(enum replica_state state)
{
    assert_false(stage.gone);
    assert_string_equal(replica_state_name(stage.replica->machine.state),
                        replica_state_name(state));
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, state), state);
}

void stage_expect_gone(enum close_reason reason)
{
    assert_true(stage.gone);
    assert_string_equal(close_reason_name(stage.stats.reason), close_reason_name(reason));
    assert_true(fake_conn_is_closed(stage.peer));
    assert_int_equal(fake_history_cursor_count(stage.history), 0);
    if (stage.snapshot != NULL)
        assert_int_equal(fake_snapshot_references(stage.snapshot), 1);
}

void stage_have_snapshot(const char *rdb)
{
    stage.snapshot = fake_snapshot_new(STAGE_X, bytes_of(rdb));
    fake_history_set_snapshots(stage.history, NULL, stage.snapshot);
}

void stage_have_whole_snapshot(const char *rdb)
{
    stage_have_snapshot(rdb);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
}

void stage_append(const char *bytes)
{
    fake_history_append(stage.history, bytes_of(bytes));
}
