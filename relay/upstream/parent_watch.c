/* SPDX-License-Identifier: MIT */
#include "parent_watch.h"

#include <string.h>

#include "login.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/conn_push.h"
#include "relay/resp/writer.h"
#include "route.h"

enum { OUT_MAX = 8 * 1024, SHOWN_MAX = 160 };

void parent_watch_init(struct parent_watch *watch, struct loop *loop, const struct route *route)
{
    memset(watch, 0, sizeof(*watch));
    watch->loop = loop;
    watch->route = route;
    text_init(&watch->out, OUT_MAX);
}

static void parent_watch_hang_up(struct parent_watch *watch)
{
    if (watch->conn != NULL)
        conn_close(&watch->conn);
    watch->in_length = 0;
    text_clear(&watch->out);
}

void parent_watch_fini(struct parent_watch *watch)
{
    parent_watch_hang_up(watch);
    text_fini(&watch->out);
}

void parent_watch_restart(struct parent_watch *watch)
{
    parent_watch_hang_up(watch);
    watch->is_refused = false;
    watch->asked_ms = watch->answered_ms = 0;
    watch->told.count = 0;
}

/* ------------------------------------------------------------------ one asking */

/* AUTH and INFO in one write: the answers are counted, and only the last is looked at. */
static void parent_watch_write_question(struct parent_watch *watch)
{
    struct writer writer = {&watch->out, 2};
    const char *const question[] = {"INFO", "relay"};
    watch->awaited = 1;
    if (string_is_given(watch->password)) {
        watch->awaited++;
        login_write(&writer, "AUTH", watch->user, watch->password);
    }
    write_command(&writer, question, LENGTH_OF(question));
}

/* A connection that is broken is told by CONN_EVENT_DOWN. */
static void parent_watch_flush(struct parent_watch *watch)
{
    (void)conn_push_text(watch->conn, &watch->out);
    conn_want(watch->conn, true, watch->out.length > 0);
}

static void parent_watch_refuse(struct parent_watch *watch, struct bytes words)
{
    char shown[SHOWN_MAX];
    log_info("upstream: the relay that is followed does not tell how its own link is: %s",
             bytes_printable(words, shown, sizeof(shown)));
    watch->is_refused = true;
    parent_watch_hang_up(watch);
}

/* True: more replies may be there. */
static bool parent_watch_take_reply(struct parent_watch *watch, const struct reply *reply)
{
    const struct reply_item *item = &reply->item[0];
    if (item->kind == REPLY_ERROR) {
        parent_watch_refuse(watch, item->text);
        return false;
    }
    watch->awaited--;
    if (watch->awaited > 0)
        return true;
    if (item->kind == REPLY_BULK) {
        hops_read(item->text, &watch->told);
        watch->answered_ms = clock_ms();
    }
    parent_watch_hang_up(watch);
    return false;
}

static void parent_watch_take_replies(struct parent_watch *watch)
{
    struct reply reply;
    for (;;) {
        struct bytes input = bytes_at(watch->in, watch->in_length);
        switch (reply_read(input, &reply)) {
        case REPLY_MORE:
            if (watch->in_length == sizeof(watch->in))
                parent_watch_refuse(watch, bytes_of("its answer is too long"));
            return;
        case REPLY_NONSENSE:
            parent_watch_refuse(watch, bytes_of(reply.error));
            return;
        case REPLY_WHOLE:
            if (!parent_watch_take_reply(watch, &reply))
                return;
            watch->in_length -= reply.length;
            memmove(watch->in, watch->in + reply.length, watch->in_length);
            break;
        }
        if (watch->in_length == 0)
            return;
    }
}

static void parent_watch_receive(struct parent_watch *watch)
{
    size_t received;
    size_t room = sizeof(watch->in) - watch->in_length;
    switch (conn_receive(watch->conn, watch->in + watch->in_length, room, &received)) {
    case CONN_OK:
        watch->in_length += received;
        parent_watch_take_replies(watch);
        return;
    case CONN_AGAIN:
        return;
    case CONN_END:
    case CONN_UNREADABLE: /* of files that are sent */
    case CONN_FAILED:
        parent_watch_hang_up(watch);
        return;
    }
}

static void parent_watch_on_event(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    struct parent_watch *watch = arg;
    switch (event) {
    case CONN_EVENT_UP:
        parent_watch_write_question(watch);
        parent_watch_flush(watch);
        return;
    case CONN_EVENT_READABLE:
        parent_watch_receive(watch);
        return;
    case CONN_EVENT_WRITABLE:
        parent_watch_flush(watch);
        return;
    case CONN_EVENT_DOWN: /* asked again when it is time */
        parent_watch_hang_up(watch);
        return;
    }
}

/* ------------------------------------------------------------------ again and again */

void parent_watch_tick(struct parent_watch *watch, const struct primary_address *parent)
{
    int64_t now_ms = clock_ms();
    if (parent == NULL) {
        if (watch->asked_ms != 0)
            parent_watch_restart(watch);
        return;
    }
    if (watch->conn != NULL && now_ms - watch->asked_ms >= PARENT_WATCH_LIMIT_MS)
        parent_watch_hang_up(watch);
    bool is_due = watch->asked_ms == 0 || now_ms - watch->asked_ms >= PARENT_WATCH_PERIOD_MS;
    if (watch->conn != NULL || watch->is_refused || !is_due)
        return;
    struct conn_options options = {.tls = NULL};
    route_apply(watch->route, parent, &options);
    watch->asked_ms = now_ms;
    watch->conn = conn_connect(watch->loop, parent->host, parent->port, &options,
                               parent_watch_on_event, watch);
}

void parent_watch_hops(const struct parent_watch *watch, struct hops *out)
{
    int64_t age_ms = clock_silence_ms(watch->answered_ms);
    out->count = 0;
    if (watch->answered_ms == 0 || age_ms > PARENT_WATCH_KEPT_MS)
        return;
    *out = watch->told;
    for (size_t i = 0; i < out->count; i++)
        out->at[i].silence_ms += age_ms;
}
