/* SPDX-License-Identifier: MIT
 *
 * Another thread with a loop, which a test gives one connection to: it gives back what comes, and ends when
 * the peer does.
 */
#ifndef TESTS_UNIT_NET_ECHO_WORKER_H
#define TESTS_UNIT_NET_ECHO_WORKER_H

#include "relay/net/conn.h"
#include "relay/net/mailbox.h"
#include "sockets.h"

struct parcel {
    struct message message;
    struct conn *conn;
};

struct echo_worker {
    struct loop *loop;
    struct mailbox *mailbox;
    struct conn *conn;
    pthread_t thread;
};

/* The pieces are small enough to be taken at once. */
static inline void echo(struct conn *conn, enum conn_event event, void *arg)
{
    struct echo_worker *worker = arg;
    assert_int_equal(event, CONN_EVENT_READABLE);
    char buffer[64];
    size_t received;
    size_t sent;
    enum conn_io io;
    while ((io = conn_receive(conn, buffer, sizeof buffer, &received)) == CONN_OK) {
        assert_int_equal(conn_send(conn, bytes_at(buffer, received), false, &sent), CONN_OK);
        assert_int_equal(sent, received);
    }
    if (io == CONN_AGAIN)
        return;
    assert_int_equal(io, CONN_END);
    conn_close(&worker->conn);
    loop_stop(worker->loop);
}

static inline void take_parcel(struct message *message, void *arg)
{
    struct echo_worker *worker = arg;
    struct parcel *parcel = (struct parcel *)(void *)message;
    worker->conn = parcel->conn;
    assert_true(conn_attach(worker->conn, worker->loop, echo, worker));
    conn_want(worker->conn, true, false);
}

static inline void *echo_work(void *arg)
{
    struct echo_worker *worker = arg;
    loop_run(worker->loop);
    return NULL;
}

static inline void begin_echo_worker(struct echo_worker *worker)
{
    *worker = (struct echo_worker){.loop = new_loop()};
    worker->mailbox = mailbox_new(worker->loop, take_parcel, worker);
    assert_non_null(worker->mailbox);
    assert_int_equal(pthread_create(&worker->thread, NULL, echo_work, worker), 0);
}

/* Waits until the peer has ended. */
static inline void end_echo_worker(struct echo_worker *worker)
{
    pthread_join(worker->thread, NULL);
    assert_null(worker->conn);
    mailbox_free(&worker->mailbox);
    loop_free(&worker->loop);
}

#endif
