/* SPDX-License-Identifier: MIT
 *
 * The clients of one thread on fake connections; the test is the other end, and has the commands.
 */
#ifndef TESTS_REPLAY_CLIENT_CLIENT_STAGE_H
#define TESTS_REPLAY_CLIENT_CLIENT_STAGE_H

#include "../../../relay/downstream/client_list.h"

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/base/log.h"
#include "test.h"

static struct {
    struct client_list list;
    struct conn *peer;     /* of the newest client */
    struct client *client; /* that one; it may be gone */
} stage;

/* The list is as given, but for its loop. */
static inline void stage_open(struct client_list list)
{
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
    stage.peer = NULL;
    stage.client = NULL;
    stage.list = list;
    stage.list.loop = loop_new(&(struct error){0});
    client_list_init(&stage.list);
}

/* For cmocka. */
static inline int stage_close(void **state)
{
    (void)state;
    client_list_close_all(&stage.list, CLOSE_SHUTDOWN);
    assert_int_equal(stage.list.count, 0);
    assert_null(client_list_first(&stage.list));
    loop_free(&stage.list.loop);
    fake_conn_reset();
    return 0;
}

/* A client is accepted, and its connection is not up yet. */
static inline void stage_accept(void)
{
    client_accept(&stage.list, 5, NULL, NULL, false, 1);
    stage.peer = fake_conn_newest();
    stage.client = client_list_first(&stage.list);
}

static inline void stage_come(void)
{
    stage_accept();
    fake_conn_up(stage.peer);
}

static inline void stage_hear(const char *bytes)
{
    fake_conn_feed(stage.peer, bytes_of(bytes));
    fake_conn_run(stage.peer);
}

/* Exactly this has been sent to the newest since the last time. */
static inline void stage_expect_sent(const char *expected)
{
    assert_view(fake_conn_sent(stage.peer), expected);
    fake_conn_forget_sent(stage.peer);
}

/* There was one client, and it was closed for this. */
static inline void stage_expect_closed(enum close_reason reason)
{
    assert_int_equal(stage.list.count, 0);
    assert_true(fake_conn_is_closed(stage.peer));
    for (int i = 0; i < CLOSE_REASON_COUNT; i++)
        assert_int_equal(stage.list.closed[i], i == (int)reason ? 1 : 0);
}

#endif
