/* SPDX-License-Identifier: MIT */
#include "fake_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_loop.h"

/* Code that keeps wanting what it does not use would hang the test. */
enum { STEPS_MAX = 1000000 };

enum fake_state { OPENING, UP, BROKEN, CLOSED, DRAINED };

struct piece {
    struct piece *next;
    size_t length;
    size_t used;
    uint8_t data[];
};

enum last_word { NO_LAST_WORD, LAST_WORD_END, LAST_WORD_FAIL };

struct conn {
    struct conn *next; /* in the order in which they were made */
    struct loop *loop; /* NULL: detached */
    enum fake_state state;
    bool up_is_due;
    bool down_is_due;
    conn_event_fn *fn;
    void *arg;
    bool wants_read;
    bool wants_write;

    struct piece *pieces; /* the first has arrived when `arrived` */
    bool arrived;
    enum last_word last_word; /* after the pieces */
    bool has_ended;
    char last_error[128];
    char error[128];

    uint8_t *sent;
    size_t sent_length;
    size_t sent_capacity;
    size_t room;
    size_t send_max;
    bool promised_more;
    uint64_t sent_by_file;
    struct conn_traffic traffic;

    char host[256];
    uint16_t port;
    int keepalive_s;
    int64_t unanswered_ms_max;
    int64_t connect_ms_max;
    bool is_unanswered;
    struct tls_context *tls;
    int64_t drain_limit_ms;
    char peer[300];
    char peer_address[64];
    uint16_t peer_port;
    char local[80];
};

static struct conn *conns;
static bool refuses_next;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    CHECK(memory != NULL);
    return memory;
}

/* ---- which ---- */

size_t fake_conn_count(void)
{
    size_t count = 0;
    for (const struct conn *conn = conns; conn != NULL; conn = conn->next)
        count++;
    return count;
}

struct conn *fake_conn_nth(size_t position)
{
    struct conn *conn = conns;
    for (; position > 0 && conn != NULL; position--)
        conn = conn->next;
    CHECK(conn != NULL);
    return conn;
}

struct conn *fake_conn_newest(void)
{
    size_t count = fake_conn_count();
    return count == 0 ? NULL : fake_conn_nth(count - 1);
}

static void drop_piece(struct conn *conn)
{
    struct piece *piece = conn->pieces;
    conn->pieces = piece->next;
    conn->arrived = false;
    free(piece);
}

static void drop_pieces(struct conn *conn)
{
    while (conn->pieces != NULL)
        drop_piece(conn);
}

void fake_conn_reset(void)
{
    while (conns != NULL) {
        struct conn *conn = conns;
        conns = conn->next;
        drop_pieces(conn);
        free(conn->sent);
        free(conn);
    }
    refuses_next = false;
}

void fake_conn_refuse_next(void)
{
    refuses_next = true;
}

static bool refuses(void)
{
    bool refused = refuses_next;
    refuses_next = false;
    return refused;
}

/* ---- conn.h: birth ---- */

static struct conn *new_conn(struct loop *loop, const struct conn_options *options,
                             conn_event_fn *fn, void *arg)
{
    CHECK(loop != NULL);
    CHECK(fn != NULL);
    struct conn *conn = allocate(sizeof *conn);
    conn->loop = loop;
    conn->fn = fn;
    conn->arg = arg;
    conn->keepalive_s = options->keepalive_s;
    conn->unanswered_ms_max = options->unanswered_ms;
    conn->connect_ms_max = options->connect_ms_max;
    conn->tls = options->tls;
    conn->room = SIZE_MAX;
    conn->send_max = SIZE_MAX;
    struct conn **link = &conns;
    while (*link != NULL)
        link = &(*link)->next;
    *link = conn;
    return conn;
}

struct conn *conn_connect(struct loop *loop, const char *host, uint16_t port,
                          const struct conn_options *options, conn_event_fn *fn, void *arg)
{
    if (refuses())
        return NULL;
    struct conn *conn = new_conn(loop, options, fn, arg);
    snprintf(conn->host, sizeof conn->host, "%s", host);
    conn->port = port;
    snprintf(conn->peer, sizeof conn->peer, "%s:%u", host, (unsigned)port);
    return conn;
}

static void meet(struct conn *conn)
{
    conn->peer_port = conn->port != 0 ? conn->port : 50000;
    snprintf(conn->peer_address, sizeof conn->peer_address, "192.0.2.7");
    snprintf(conn->peer, sizeof conn->peer, "192.0.2.7:%u", (unsigned)conn->peer_port);
    snprintf(conn->local, sizeof conn->local, "192.0.2.1:6379");
}

struct conn *conn_accept(struct loop *loop, int fd, const struct conn_options *options,
                         conn_event_fn *fn, void *arg)
{
    if (refuses())
        return NULL;
    struct conn *conn = new_conn(loop, options, fn, arg);
    (void)fd; /* neither used nor closed */
    meet(conn);
    return conn;
}

/* ---- conn.h: bytes ---- */

/* Has it an owner on a loop, who may use it? */
static void check_use(const struct conn *conn)
{
    CHECK(conn->state == UP || conn->state == BROKEN);
    CHECK(!conn->up_is_due);
    CHECK(conn->loop != NULL);
}

static enum conn_io break_off(struct conn *conn, const char *why)
{
    snprintf(conn->error, sizeof conn->error, "%s", why);
    conn->state = BROKEN;
    conn->down_is_due = true;
    return CONN_FAILED;
}

static enum conn_io receive_last_word(struct conn *conn)
{
    switch (conn->last_word) {
    case NO_LAST_WORD:
        return CONN_AGAIN;
    case LAST_WORD_END:
        conn->has_ended = true;
        return CONN_END;
    case LAST_WORD_FAIL:
        return break_off(conn, conn->last_error);
    }
    UNREACHABLE("last word");
}

enum conn_io conn_receive(struct conn *conn, void *into, size_t capacity, size_t *received)
{
    CHECK(capacity > 0);
    check_use(conn);
    *received = 0;
    if (conn->state == BROKEN)
        return CONN_FAILED;
    struct piece *piece = conn->pieces;
    if (piece == NULL)
        return receive_last_word(conn);
    if (!conn->arrived)
        return CONN_AGAIN;
    size_t rest = piece->length - piece->used;
    *received = rest < capacity ? rest : capacity;
    memcpy(into, piece->data + piece->used, *received);
    piece->used += *received;
    conn->traffic.received_bytes += *received;
    conn->traffic.reads += *received > 0;
    if (piece->used == piece->length)
        drop_piece(conn);
    return CONN_OK;
}

static void keep_sent(struct conn *conn, const void *data, size_t length)
{
    if (conn->sent_capacity - conn->sent_length < length) {
        conn->sent_capacity = (conn->sent_length + length) * 2;
        conn->sent = realloc(conn->sent, conn->sent_capacity);
        CHECK(conn->sent != NULL);
    }
    memcpy(conn->sent + conn->sent_length, data, length);
    conn->sent_length += length;
    conn->traffic.sent_bytes += length;
    conn->traffic.writes += length > 0;
    if (conn->room != SIZE_MAX)
        conn->room -= length;
}

static size_t what_fits(const struct conn *conn, size_t length)
{
    if (length > conn->room)
        length = conn->room;
    return length < conn->send_max ? length : conn->send_max;
}

enum conn_io conn_send(struct conn *conn, struct bytes view, bool more, size_t *sent)
{
    CHECK(view.length > 0);
    check_use(conn);
    *sent = 0;
    conn->promised_more = more;
    if (conn->state == BROKEN)
        return CONN_FAILED;
    *sent = what_fits(conn, view.length);
    if (*sent == 0)
        return CONN_AGAIN;
    keep_sent(conn, view.data, *sent);
    return CONN_OK;
}

/* One call moves at most as much as a pipe of the kernel would. */
enum conn_io conn_send_file(struct conn *conn, int file, uint64_t position, size_t length,
                            size_t *sent)
{
    CHECK(length > 0);
    CHECK(position <= INT64_MAX - length);
    check_use(conn);
    *sent = 0;
    if (conn->state == BROKEN)
        return CONN_FAILED;
    uint8_t chunk[65536];
    size_t count = what_fits(conn, length < sizeof chunk ? length : sizeof chunk);
    if (count == 0)
        return CONN_AGAIN;
    ssize_t found = pread(file, chunk, count, (off_t)position);
    if (found <= 0)
        return CONN_UNREADABLE;
    *sent = (size_t)found;
    keep_sent(conn, chunk, *sent);
    conn->sent_by_file += *sent;
    return CONN_OK;
}

bool conn_moves_files(const struct conn *conn)
{
    (void)conn;
    return true;
}

void conn_want(struct conn *conn, bool read, bool write)
{
    CHECK(conn->state != CLOSED && conn->state != DRAINED);
    CHECK(conn->loop != NULL);
    conn->wants_read = read;
    conn->wants_write = write;
}

/* ---- conn.h: what is known of it ---- */

const char *conn_error(const struct conn *conn)
{
    return conn->error;
}

const char *conn_peer(const struct conn *conn)
{
    return conn->peer;
}

const char *conn_peer_address(const struct conn *conn)
{
    return conn->peer_address;
}

uint16_t conn_peer_port(const struct conn *conn)
{
    return conn->peer_port;
}

const char *conn_local(const struct conn *conn)
{
    return conn->local;
}

uint64_t conn_received_total(const struct conn *conn)
{
    return conn->traffic.received_bytes;
}

uint64_t conn_sent_total(const struct conn *conn)
{
    return conn->traffic.sent_bytes;
}

struct conn_traffic conn_traffic(const struct conn *conn)
{
    return conn != NULL ? conn->traffic : (struct conn_traffic){.reads = 0};
}

/* ---- conn.h: moving and ending ---- */

void conn_detach(struct conn *conn)
{
    check_use(conn);
    conn->loop = NULL;
    conn->wants_read = conn->wants_write = false;
}

bool conn_attach(struct conn *conn, struct loop *loop, conn_event_fn *fn, void *arg)
{
    CHECK(conn->state == UP || conn->state == BROKEN);
    CHECK(conn->loop == NULL);
    CHECK(fn != NULL);
    if (refuses())
        return false;
    conn->loop = loop;
    conn->fn = fn;
    conn->arg = arg;
    return true;
}

static void end(struct conn **where, enum fake_state state)
{
    struct conn *conn = *where;
    *where = NULL;
    if (conn == NULL)
        return;
    CHECK(conn->state != CLOSED && conn->state != DRAINED);
    conn->state = state;
    conn->up_is_due = conn->down_is_due = false;
    conn->wants_read = conn->wants_write = false;
    drop_pieces(conn);
}

void conn_close(struct conn **where)
{
    end(where, CLOSED);
}

void conn_drain(struct conn **where, int64_t limit_ms)
{
    CHECK(limit_ms >= 0);
    struct conn *conn = *where;
    if (conn != NULL)
        conn->drain_limit_ms = limit_ms;
    end(where, conn != NULL && conn->state == UP ? DRAINED : CLOSED);
}

/* ---- what the peer does ---- */

void fake_conn_up(struct conn *conn)
{
    CHECK(conn->state == OPENING);
    meet(conn);
    conn->state = UP;
    conn->up_is_due = true;
    CHECK(fake_conn_step(conn));
}

void fake_conn_down(struct conn *conn, const char *why)
{
    CHECK(conn->state == OPENING || conn->state == UP);
    drop_pieces(conn);
    conn->up_is_due = false;
    (void)break_off(conn, why);
}

void fake_conn_feed(struct conn *conn, struct bytes bytes)
{
    CHECK(bytes.length > 0);
    CHECK(conn->last_word == NO_LAST_WORD);
    if (fake_conn_is_closed(conn))
        return; /* the peer does not know yet */
    struct piece *piece = allocate(sizeof *piece + bytes.length);
    piece->length = bytes.length;
    memcpy(piece->data, bytes.data, bytes.length);
    struct piece **link = &conn->pieces;
    while (*link != NULL)
        link = &(*link)->next;
    *link = piece;
}

void fake_conn_feed_cut(struct conn *conn, struct bytes bytes, size_t length)
{
    CHECK(length > 0);
    for (size_t at = 0; at < bytes.length; at += length) {
        size_t rest = bytes.length - at;
        struct bytes piece = {bytes.data + at, rest < length ? rest : length};
        fake_conn_feed(conn, piece);
    }
}

void fake_conn_end(struct conn *conn)
{
    conn->last_word = LAST_WORD_END;
}

void fake_conn_fail(struct conn *conn, const char *why)
{
    conn->last_word = LAST_WORD_FAIL;
    snprintf(conn->last_error, sizeof conn->last_error, "%s", why);
}

void fake_conn_set_room(struct conn *conn, size_t room)
{
    conn->room = room;
}

void fake_conn_set_send_max(struct conn *conn, size_t length)
{
    CHECK(length > 0);
    conn->send_max = length;
}

/* ---- events ---- */

static bool take(bool *due)
{
    bool was_due = *due;
    *due = false;
    return was_due;
}

static bool is_readable(const struct conn *conn)
{
    bool has_word = conn->last_word != NO_LAST_WORD && !conn->has_ended;
    return conn->wants_read && (conn->pieces != NULL || has_word);
}

static bool find_event(struct conn *conn, enum conn_event *event)
{
    if (conn->loop == NULL)
        return false;
    if (take(&conn->down_is_due))
        *event = CONN_EVENT_DOWN;
    else if (take(&conn->up_is_due))
        *event = CONN_EVENT_UP;
    else if (conn->state == UP && is_readable(conn))
        *event = CONN_EVENT_READABLE;
    else if (conn->state == UP && conn->wants_write && conn->room > 0)
        *event = CONN_EVENT_WRITABLE;
    else
        return false;
    return true;
}

bool fake_conn_step(struct conn *conn)
{
    enum conn_event event;
    if (!find_event(conn, &event))
        return false;
    struct loop *loop = conn->loop; /* the callback may detach it */
    if (event == CONN_EVENT_READABLE)
        conn->arrived = conn->pieces != NULL;
    conn->fn(conn, event, conn->arg);
    fake_loop_turn(loop);
    return true;
}

void fake_conn_run(struct conn *conn)
{
    for (int steps = 0; fake_conn_step(conn); steps++)
        CHECK(steps < STEPS_MAX);
}

void fake_conn_run_all(void)
{
    bool stepped = true;
    for (int rounds = 0; stepped; rounds++) {
        CHECK(rounds < STEPS_MAX);
        stepped = false;
        for (struct conn *conn = conns; conn != NULL; conn = conn->next)
            stepped = fake_conn_step(conn) || stepped;
    }
}

/* ---- what the code under test did ---- */

struct bytes fake_conn_sent(const struct conn *conn)
{
    return (struct bytes){conn->sent, conn->sent_length};
}

void fake_conn_forget_sent(struct conn *conn)
{
    conn->sent_length = 0;
}

bool fake_conn_promised_more(const struct conn *conn)
{
    return conn->promised_more;
}

uint64_t fake_conn_sent_by_file(const struct conn *conn)
{
    return conn->sent_by_file;
}

bool fake_conn_wants_read(const struct conn *conn)
{
    return conn->wants_read;
}

bool fake_conn_wants_write(const struct conn *conn)
{
    return conn->wants_write;
}

bool fake_conn_is_up(const struct conn *conn)
{
    return conn->state == UP && !conn->up_is_due;
}

bool fake_conn_is_closed(const struct conn *conn)
{
    return conn->state == CLOSED || conn->state == DRAINED;
}

bool fake_conn_is_drained(const struct conn *conn)
{
    return conn->state == DRAINED;
}

bool fake_conn_is_detached(const struct conn *conn)
{
    return conn->loop == NULL;
}

int64_t fake_conn_drain_limit_ms(const struct conn *conn)
{
    return conn->drain_limit_ms;
}

const char *fake_conn_host(const struct conn *conn)
{
    return conn->host;
}

uint16_t fake_conn_port(const struct conn *conn)
{
    return conn->port;
}

struct tls_context *fake_conn_tls(const struct conn *conn)
{
    return conn->tls;
}

int64_t fake_conn_unanswered_ms_max(const struct conn *conn)
{
    return conn->unanswered_ms_max;
}

int64_t fake_conn_connect_ms_max(const struct conn *conn)
{
    return conn->connect_ms_max;
}

void fake_conn_set_unanswered(struct conn *conn, bool is_unanswered)
{
    conn->is_unanswered = is_unanswered;
}

void conn_limit_unsent(struct conn *conn)
{
    (void)conn;
}

void conn_set_congestion(struct conn *conn, const char *name)
{
    (void)conn;
    (void)name;
}

void conn_keep_alive(struct conn *conn, int keepalive_s)
{
    CHECK(keepalive_s > 0);
    conn->keepalive_s = keepalive_s;
}

const char *conn_carrier(const struct conn *conn)
{
    (void)conn;
    return "tcp";
}

bool conn_is_tls(const struct conn *conn)
{
    (void)conn;
    return false;
}

bool conn_has_unsent(const struct conn *conn)
{
    (void)conn;
    return false;
}

bool conn_is_unanswered(const struct conn *conn)
{
    return conn->is_unanswered;
}

int fake_conn_keepalive_s(const struct conn *conn)
{
    return conn->keepalive_s;
}
