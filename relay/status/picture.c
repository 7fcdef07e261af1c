/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <assert.h>
#include <string.h>
#include <sys/resource.h>

#include "relay/base/check.h"
#include "relay/base/clock.h"

const char *row_state_name(enum row_state state)
{
    static const char *const names[ROW_STATE_COUNT] = {
        [ROW_WAITING] = "waiting",
        [ROW_LOADING] = "loading",
        [ROW_ONLINE] = "online",
    };
    return names[state];
}

/* --- which rows are kept: a heap with the one on top that would go first --- */

struct gathering {
    struct picture *picture;
    const struct samples *samples;
    enum picture_order order;
    size_t rows_max;
    uint16_t heap[PICTURE_ROWS_MAX]; /* of places in `rows` */
};

static_assert(PICTURE_ROWS_MAX <= UINT16_MAX, "a place must fit");

/* Would `a` rather be left out than `b`? */
static bool is_lesser(const struct gathering *gathering, const struct row *a, const struct row *b)
{
    if (gathering->order == PICTURE_WORST) {
        if ((a->state == ROW_ONLINE) != (b->state == ROW_ONLINE))
            return a->state == ROW_ONLINE;
        if (a->lag_bytes != b->lag_bytes)
            return a->lag_bytes < b->lag_bytes;
    }
    return a->id > b->id;
}

static bool is_lesser_at(const struct gathering *gathering, size_t a, size_t b)
{
    const struct row *rows = gathering->picture->rows;
    return is_lesser(gathering, &rows[gathering->heap[a]], &rows[gathering->heap[b]]);
}

static void picture_swap(struct gathering *gathering, size_t a, size_t b)
{
    uint16_t kept = gathering->heap[a];
    gathering->heap[a] = gathering->heap[b];
    gathering->heap[b] = kept;
}

static void sift_up(struct gathering *gathering, size_t at)
{
    while (at > 0 && is_lesser_at(gathering, at, (at - 1) / 2)) {
        picture_swap(gathering, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct gathering *gathering)
{
    size_t count = gathering->picture->row_count;
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (is_lesser_at(gathering, child, least))
                least = child;
        }
        if (least == at)
            return;
        picture_swap(gathering, at, least);
        at = least;
    }
}

static void copy_string(char *out, size_t capacity, const char *string)
{
    size_t length = strnlen(string, capacity - 1);
    memcpy(out, string, length);
    out[length] = '\0';
}

/* Most rows are looked at and forgotten, so the strings are copied last. */
static void picture_fill(struct row *place, const struct row *row,
                         const struct peer_status *replica)
{
    *place = *row;
    copy_string(place->address, sizeof(place->address), replica->address);
    copy_string(place->version, sizeof(place->version), replica->version);
    place->carrier = replica->carrier;
}

static void picture_keep(struct gathering *gathering, const struct row *row,
                         const struct peer_status *replica)
{
    struct picture *picture = gathering->picture;
    if (picture->row_count < gathering->rows_max) {
        size_t place = picture->row_count++;
        picture_fill(&picture->rows[place], row, replica);
        gathering->heap[place] = (uint16_t)place;
        sift_up(gathering, place);
        return;
    }
    /* However many replicas there are: they are all counted, and the rows that are kept are bounded. */
    picture->rows_left_out++;
    if (gathering->rows_max == 0)
        return;
    struct row *least = &picture->rows[gathering->heap[0]];
    if (is_lesser(gathering, least, row)) {
        picture_fill(least, row, replica);
        sift_down(gathering);
    }
}

/* --- replicas --- */

/* One that has its RDB and has not acknowledged anything is reading it in: it is not behind. */
static enum row_state state_of(const struct peer_status *replica)
{
    bool has_loaded = !replica->acknowledges || replica->acknowledged > 0;
    if (replica->state == REPLICA_WAITING)
        return ROW_WAITING;
    return replica->is_online && (has_loaded || replica->sent_offset == 0) ? ROW_ONLINE
                                                                           : ROW_LOADING;
}

static int64_t at_least_0(int64_t ms)
{
    return ms > 0 ? ms : 0;
}

static void look_at_lag(struct gathering *gathering, struct row *row,
                        const struct peer_status *replica)
{
    struct picture *picture = gathering->picture;
    uint64_t published = picture->store.published;
    if (row->offset < published) {
        row->lag_bytes = published - row->offset;
        row->lag_ms =
            samples_behind_ms(gathering->samples, row->offset, published, picture->now_ms);
    }
    if (row->lag_bytes > picture->lag_bytes_max)
        picture->lag_bytes_max = row->lag_bytes;
    if (picture->latest.id == 0 || row->lag_ms > picture->latest.lag_ms)
        picture_fill(&picture->latest, row, replica);
    if (picture->silentest.id == 0 || row->heard_ms > picture->silentest.heard_ms)
        picture_fill(&picture->silentest, row, replica);
    picture->stream_short += row->stream_missing > 0;
    if (row->stream_missing > picture->shortest.stream_missing)
        picture_fill(&picture->shortest, row, replica);
    picture->behind += row->lag_ms >= PICTURE_BEHIND_MS;
    picture->silent += row->heard_ms >= PICTURE_SILENT_MS;
}

/* How much it lacks on purpose: all beyond its limit, or beyond what it has while it waits. */
static uint64_t delay_bytes_of(const struct picture *picture, const struct peer_status *replica)
{
    uint64_t has = replica->state == REPLICA_WAITING ? replica->acknowledged : replica->limit;
    uint64_t published = picture->store.published;
    return replica->runs_behind && has < published ? published - has : 0;
}

static void on_replica(const struct peer_status *replica, void *arg)
{
    struct gathering *gathering = arg;
    struct picture *picture = gathering->picture;
    /* Closed on its worker, and the message of that is on its way. */
    if (replica->state == REPLICA_CLOSING)
        return;
    struct row row = {
        .id = replica->id,
        .state = state_of(replica),
        .port = replica->listening_port,
        .acknowledges = replica->acknowledges,
        .offset = replica->acknowledged,
        .heard_ms = at_least_0(picture->now_ms - replica->last_ack_ms),
        .connected_ms = at_least_0(picture->now_ms - replica->connected_ms),
        .sent_bytes = replica->sent_bytes,
        .delayed_ms = replica->delayed_ms,
        .stream_missing = replica->stream_missing,
        .stream_rate = replica->stream_rate,
        .is_held = replica->is_held,
        .runs_behind = replica->runs_behind,
        .delay_bytes = delay_bytes_of(picture, replica),
        .hold = replica->hold,
        .full_sync = replica->full_sync,
    };
    holders_note(&picture->holders, replica);
    picture->delayed += replica->delayed_ms > 0;
    picture->states[row.state]++;
    picture->delayed_waiting += row.runs_behind && row.state == ROW_WAITING;
    picture->paused += row.hold != HOLD_NONE;
    if (row.state == ROW_ONLINE && row.acknowledges && !row.runs_behind)
        look_at_lag(gathering, &row, replica);
    picture_keep(gathering, &row, replica);
}

/* The one to tell of: one that is known to be unable, then the one that has failed most often. */
static bool is_worse(const struct sync_failure *a, const struct failing_row *b)
{
    if ((a->reading == RDB_UNREADABLE) != (b->reading == RDB_UNREADABLE))
        return a->reading == RDB_UNREADABLE;
    return a->failures > b->failures;
}

static void on_sync_failure(const struct sync_failure *failure, void *arg)
{
    struct picture *picture = arg;
    struct failing_row *most = &picture->failing_most;
    if (picture->failing++ > 0 && !is_worse(failure, most))
        return;
    most->port = failure->listening_port;
    most->failures = failure->failures;
    most->rdb = failure->rdb;
    most->reading = failure->reading;
    most->delayed_ms = failure->delayed_ms;
    copy_string(most->address, sizeof(most->address), failure->address);
    copy_string(most->version, sizeof(most->version), failure->version);
}

/* --- the whole --- */

static double cpu_seconds(void)
{
    struct rusage self = {0};
    getrusage(RUSAGE_SELF, &self);
    return (double)(self.ru_utime.tv_sec + self.ru_stime.tv_sec) +
           (double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec) / 1e6;
}

void picture_take(struct picture *picture, const struct status_sources *sources,
                  const struct samples *samples, int64_t started_ms, enum picture_order order,
                  size_t rows_max)
{
    CHECK(rows_max <= PICTURE_ROWS_MAX);
    /* The rows are large, and set one by one. */
    picture->now_ms = clock_ms();
    picture->wall_us = clock_wall_us();
    picture->uptime_ms = picture->now_ms - started_ms;
    picture->port = downstream_port(sources->downstream);
    picture->tls_port = downstream_tls_port(sources->downstream);
    picture->clients_max = sources->clients_max;
    picture->serves_old_history = sources->serves_old_history;
    picture->max_silence_ms = sources->max_silence_ms;
    static const struct tls_certificates none;
    picture->certificates = sources->certificates != NULL ? sources->certificates : &none;
    picture->cpu_seconds = cpu_seconds();
    memory_read(&picture->memory);
    link_status(sources->link, &picture->link);
    link_hops(sources->link, &picture->hops);
    picture->silence_ms = picture->hops.at[0].silence_ms;
    picture->root_silence_ms = hops_silence_ms(&picture->hops);
    picture->old_history_ms =
        picture->link.old_history_since_ms == 0
            ? -1
            : at_least_0(picture->now_ms - picture->link.old_history_since_ms);
    picture->ack = link_ack(sources->link);
    store_status(sources->store, &picture->store);
    picture->archive = (struct archive_status){.activity_name = "off", .error = ""};
    if (sources->archive != NULL)
        archive_status(sources->archive, &picture->archive);
    holders_init(&picture->holders, picture->store.published, picture->store.window_bytes);

    for (size_t i = 0; i < ROW_STATE_COUNT; i++)
        picture->states[i] = 0;
    picture->lag_bytes_max = picture->behind = picture->silent = 0;
    picture->delayed = picture->failing = 0;
    picture->delayed_waiting = picture->paused = 0;
    picture->failing_most = (struct failing_row){.port = 0};
    picture->stream_short = 0;
    picture->latest = picture->silentest = picture->shortest = (struct row){.id = 0};
    picture->row_count = 0;
    picture->rows_left_out = 0;
    struct gathering gathering;
    gathering.picture = picture;
    gathering.samples = samples;
    gathering.order = order;
    gathering.rows_max = rows_max;
    downstream_observe(sources->downstream, &picture->counts, on_replica, &gathering);
    downstream_each_sync_failure(sources->downstream, on_sync_failure, picture);
}
