/* SPDX-License-Identifier: MIT
 *
 * Many replicas in one process, bare: they shake hands, take RDB and stream as quickly as they come,
 * acknowledge once a second, and look at nothing but the times that the primary has put into the stream.
 *
 *     swarm PORT [tls | tls-unread]     unread: the stream's records are counted and not decrypted
 *     attach COUNT          connects that many more. Says "attached ..." when all have their RDB
 *     expect FROM TO LENGTH STAMP
 *                           offsets of the stream: says "expects", and "done ..." when all have
 *                           received up to TO. LENGTH > 0: commands of that length come from FROM on, each
 *                           with the time of its sending at STAMP
 *     drop                  closes all of them, says "dropped"
 *
 * "attached" and "done" tell when the first, the middle and the last replica was through, in
 * nanoseconds; "attached" also when the first byte of an RDB came; "done" what the times say: p50, p99,
 * p999 in nanoseconds, and the mean of the slowest replica and of the median one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tool.h"
#include "wire.h"

enum {
    REPLICAS_MAX = 12000,
    HANDSHAKE_MAX = 256, /* of them in the handshake at a time */
    EVENTS = 256,
    SCRATCH = 1024 * 1024,
    MARK_BYTES = 40,
    STAMP_BYTES = 8,
    REPLIES = 3,     /* to what is said before PSYNC */
    ACK_SLICES = 10, /* of a second: not all acknowledge in one go */
    PORT_FIRST = 1024,
    PORT_LAST = 65000,
};

enum stage { HANDSHAKE, ASKING, LOADING, LOADING_TO_MARK, STREAMING };

struct replica {
    struct wire wire;
    enum stage stage;
    char line[LINE_MAX_BYTES];
    size_t line_length;
    unsigned replies;
    uint64_t rdb_left;
    char mark[MARK_BYTES];
    char tail[MARK_BYTES]; /* the last bytes of an RDB that ends with the mark */
    uint64_t offset;       /* of the stream */
    uint64_t begun_ns;     /* the first byte of the RDB */
    uint64_t loaded_ns;
    uint64_t done_ns;
    uint8_t stamp[STAMP_BYTES]; /* of the command in hand */
    uint64_t lag_ns;            /* the sum over `lags` commands */
    uint64_t lags;
};

static struct {
    int epoll;
    uint16_t port;
    enum wire_kind kind;
    unsigned ports; /* announced so far: a replica that came back at once would be slowed down */
    struct replica *replicas;
    unsigned count;
    unsigned wanted;
    unsigned loaded;
    bool is_attaching;
    unsigned slice;
} swarm;

static struct {
    bool is_on;
    uint64_t from;
    uint64_t to;
    size_t length;
    size_t stamp_at;
    unsigned done;
    uint32_t *lags_ns;
    size_t lags;
    size_t capacity;
} expected;

static uint8_t scratch[SCRATCH];

/* ---- what is told ---- */

static int ascending_64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int ascending_32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

typedef uint64_t value_fn(const struct replica *replica);

static uint64_t begun_of(const struct replica *replica)
{
    return replica->begun_ns;
}

static uint64_t loaded_of(const struct replica *replica)
{
    return replica->loaded_ns;
}

static uint64_t done_of(const struct replica *replica)
{
    return replica->done_ns;
}

static uint64_t lag_of(const struct replica *replica)
{
    return replica->lags > 0 ? replica->lag_ns / replica->lags : 0;
}

/* The values of all replicas in order: the first, the middle and the last can be picked. */
static const uint64_t *ordered(value_fn *value)
{
    static uint64_t values[REPLICAS_MAX];
    for (unsigned i = 0; i < swarm.count; i++)
        values[i] = value(&swarm.replicas[i]);
    qsort(values, swarm.count, sizeof values[0], ascending_64);
    return values;
}

static uint64_t begun_first(void)
{
    return ordered(begun_of)[0];
}

static void tell_attached(void)
{
    swarm.is_attaching = false;
    uint64_t begun = begun_first();
    const uint64_t *loaded = ordered(loaded_of);
    tell("attached begun=%" PRIu64 " first=%" PRIu64 " middle=%" PRIu64 " last=%" PRIu64, begun,
         loaded[0], loaded[swarm.count / 2], loaded[swarm.count - 1]);
}

static uint32_t quantile(double part)
{
    if (expected.lags == 0)
        return 0;
    size_t at = (size_t)((double)expected.lags * part);
    return expected.lags_ns[at < expected.lags ? at : expected.lags - 1];
}

static void tell_done(void)
{
    expected.is_on = false;
    if (expected.lags > 0)
        qsort(expected.lags_ns, expected.lags, sizeof expected.lags_ns[0], ascending_32);
    const uint64_t *lag = ordered(lag_of);
    uint64_t middle = lag[swarm.count / 2];
    uint64_t slowest = lag[swarm.count - 1];
    const uint64_t *done = ordered(done_of);
    tell("done first=%" PRIu64 " middle=%" PRIu64 " last=%" PRIu64 " p50=%u p99=%u p999=%u"
         " lag_middle=%" PRIu64 " lag_slowest=%" PRIu64,
         done[0], done[swarm.count / 2], done[swarm.count - 1], quantile(0.5), quantile(0.99),
         quantile(0.999), middle, slowest);
}

/* ---- the stream ---- */

static void note_lag(struct replica *replica, uint64_t now)
{
    uint64_t sent;
    memcpy(&sent, replica->stamp, sizeof sent);
    uint64_t lag = now > sent ? now - sent : 0;
    if (expected.lags == expected.capacity) {
        expected.capacity = expected.capacity == 0 ? 1 << 20 : expected.capacity * 2;
        expected.lags_ns =
            realloc(expected.lags_ns, expected.capacity * sizeof expected.lags_ns[0]);
        CHECK(expected.lags_ns != NULL);
    }
    expected.lags_ns[expected.lags++] = lag < UINT32_MAX ? (uint32_t)lag : UINT32_MAX;
    replica->lag_ns += lag;
    replica->lags++;
}

/* Picks the stamps out of `data`, which begins at the replica's offset. */
static void look_for_stamps(struct replica *replica, const uint8_t *data, size_t length)
{
    uint64_t now = now_ns();
    for (size_t i = 0; i < length;) {
        size_t at = (size_t)((replica->offset + i - expected.from) % expected.length);
        size_t end = expected.stamp_at + STAMP_BYTES;
        if (at < expected.stamp_at) {
            i += expected.stamp_at - at;
        } else if (at >= end) {
            i += expected.length - at;
        } else {
            size_t part = end - at < length - i ? end - at : length - i;
            memcpy(replica->stamp + (at - expected.stamp_at), data + i, part);
            if (at + part == end)
                note_lag(replica, now);
            i += part;
        }
    }
}

static void note_done(struct replica *replica)
{
    if (!expected.is_on || replica->done_ns != 0 || replica->offset < expected.to)
        return;
    replica->done_ns = now_ns();
    expected.done++;
}

static bool looks_for_stamps(const struct replica *replica)
{
    return expected.is_on && expected.length > 0 && replica->offset >= expected.from &&
           replica->offset < expected.to;
}

static void take_stream(struct replica *replica, const uint8_t *data, size_t length)
{
    if (looks_for_stamps(replica)) {
        uint64_t left = expected.to - replica->offset;
        look_for_stamps(replica, data, length < left ? length : (size_t)left);
    }
    replica->offset += length;
    note_done(replica);
}

static void acknowledge(struct replica *replica)
{
    char number[24];
    char words[96];
    int digits = snprintf(number, sizeof number, "%" PRIu64, replica->offset);
    int length = snprintf(words, sizeof words, "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$%d\r\n%s\r\n",
                          digits, number);
    if (!wire_say(&replica->wire, words, (size_t)length))
        die("a replica could not acknowledge");
}

/* ---- the handshake and the RDB ---- */

static void say(struct replica *replica, const char *words)
{
    if (!wire_say(&replica->wire, words, strlen(words)))
        die("a replica could not speak");
}

static void greet(struct replica *replica)
{
    char words[128];
    unsigned port = PORT_FIRST + swarm.ports++ % (PORT_LAST - PORT_FIRST);
    snprintf(words, sizeof words,
             "PING\r\nREPLCONF listening-port %u\r\nREPLCONF capa eof capa psync2\r\n", port);
    say(replica, words);
}

static void note_loaded(struct replica *replica)
{
    replica->loaded_ns = now_ns();
    replica->stage = STREAMING;
    swarm.loaded++;
    acknowledge(replica);
}

static void begin_rdb(struct replica *replica, const char *header)
{
    if (strncmp(header, "EOF:", 4) == 0) {
        memcpy(replica->mark, header + 4, MARK_BYTES);
        replica->stage = LOADING_TO_MARK;
        return;
    }
    CHECK(bytes_to_u64(bytes_of(header), &replica->rdb_left));
    replica->stage = LOADING;
}

static void take_line(struct replica *replica, const char *line)
{
    errno = 0;
    if (line[0] == '-')
        die("a replica was told %s", line);
    if (replica->stage == HANDSHAKE) {
        if (++replica->replies == REPLIES) {
            say(replica, "PSYNC ? -1\r\n");
            replica->stage = ASKING;
        }
    } else if (line[0] == '$') {
        begin_rdb(replica, line + 1);
    } else if (line[0] != '\0' &&
               sscanf(line, "+FULLRESYNC %*40s %" SCNu64, &replica->offset) != 1) {
        die("a replica was told %s", line);
    }
}

static size_t take_line_bytes(struct replica *replica, const uint8_t *data, size_t length)
{
    const uint8_t *end = memchr(data, '\n', length);
    size_t part = end != NULL ? (size_t)(end - data) : length;
    CHECK(replica->line_length + part < sizeof replica->line);
    memcpy(replica->line + replica->line_length, data, part);
    replica->line_length += part;
    if (end == NULL)
        return part;
    size_t text = replica->line_length;
    if (text > 0 && replica->line[text - 1] == '\r')
        text--;
    replica->line[text] = '\0';
    replica->line_length = 0;
    take_line(replica, replica->line);
    return part + 1;
}

static void note_begun(struct replica *replica)
{
    if (replica->begun_ns == 0)
        replica->begun_ns = now_ns();
}

/* Nothing follows the mark before the first acknowledgement. */
static void take_to_mark(struct replica *replica, const uint8_t *data, size_t length)
{
    note_begun(replica);
    if (length >= MARK_BYTES) {
        memcpy(replica->tail, data + length - MARK_BYTES, MARK_BYTES);
    } else {
        memmove(replica->tail, replica->tail + length, MARK_BYTES - length);
        memcpy(replica->tail + MARK_BYTES - length, data, length);
    }
    if (memcmp(replica->tail, replica->mark, MARK_BYTES) == 0)
        note_loaded(replica);
}

static void take_rdb(struct replica *replica, size_t length)
{
    note_begun(replica);
    CHECK(length <= replica->rdb_left);
    replica->rdb_left -= length;
    if (replica->rdb_left == 0)
        note_loaded(replica);
}

static void take(struct replica *replica, const uint8_t *data, size_t length)
{
    while (length > 0) {
        size_t part = length;
        switch (replica->stage) {
        case HANDSHAKE:
        case ASKING:
            part = take_line_bytes(replica, data, length);
            break;
        case LOADING:
            part = length < replica->rdb_left ? length : (size_t)replica->rdb_left;
            take_rdb(replica, part);
            break;
        case LOADING_TO_MARK:
            take_to_mark(replica, data, length);
            break;
        case STREAMING:
            take_stream(replica, data, length);
            break;
        }
        data += part;
        length -= part;
    }
}

/* Bytes that nobody looks at are not even copied. Returns what wire_discard does, 0: they are wanted. */
static long pass_over(struct replica *replica)
{
    bool is_loading = replica->stage == LOADING;
    if (!is_loading && (replica->stage != STREAMING || (expected.is_on && expected.length > 0)))
        return 0;
    size_t capacity = SCRATCH;
    if (is_loading && replica->rdb_left < capacity)
        capacity = (size_t)replica->rdb_left;
    long got = wire_discard(&replica->wire, scratch, capacity);
    if (got > 0 && is_loading)
        take_rdb(replica, (size_t)got);
    else if (got > 0)
        take_stream(replica, scratch, (size_t)got);
    return got;
}

static void receive(struct replica *replica)
{
    long got;
    do {
        got = pass_over(replica);
        if (got != 0)
            continue;
        got = wire_receive(&replica->wire, scratch, sizeof scratch);
        if (got > 0)
            take(replica, scratch, (size_t)got);
    } while (got > 0 && replica->wire.ssl != NULL); /* epoll does not know of decrypted bytes */
    errno = 0;
    if (got == WIRE_GONE)
        die("a replica was closed in stage %d", (int)replica->stage);
}

/* ---- orders ---- */

static void connect_one(void)
{
    struct replica *replica = &swarm.replicas[swarm.count++];
    memset(replica, 0, sizeof *replica);
    wire_open(&replica->wire, swarm.port, swarm.kind);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = replica};
    CHECK(epoll_ctl(swarm.epoll, EPOLL_CTL_ADD, replica->wire.fd, &event) == 0);
    greet(replica);
}

static void attach(const char *count)
{
    uint64_t more;
    CHECK(bytes_to_u64(bytes_of(count), &more) && swarm.wanted + more <= REPLICAS_MAX);
    swarm.wanted += (unsigned)more;
    swarm.is_attaching = true;
}

static void expect(const char *words)
{
    uint32_t *kept = expected.lags_ns;
    size_t capacity = expected.capacity;
    memset(&expected, 0, sizeof expected);
    expected.lags_ns = kept;
    expected.capacity = capacity;
    if (sscanf(words, "%" SCNu64 " %" SCNu64 " %zu %zu", &expected.from, &expected.to,
               &expected.length, &expected.stamp_at) != 4)
        die("expect FROM TO LENGTH STAMP is expected, not '%s'", words);
    expected.is_on = true;
    tell("expects");
    for (unsigned i = 0; i < swarm.count; i++) {
        struct replica *replica = &swarm.replicas[i];
        replica->done_ns = replica->lag_ns = replica->lags = 0;
        note_done(replica);
    }
}

static void drop(void)
{
    for (unsigned i = 0; i < swarm.count; i++)
        wire_close(&swarm.replicas[i].wire);
    swarm.count = swarm.wanted = swarm.loaded = 0;
    tell("dropped");
}

static void obey(void)
{
    char line[LINE_MAX_BYTES];
    if (!next_order(line))
        exit(EXIT_SUCCESS);
    errno = 0;
    if (strncmp(line, "attach ", 7) == 0)
        attach(line + 7);
    else if (strncmp(line, "expect ", 7) == 0)
        expect(line + 7);
    else if (strcmp(line, "drop") == 0)
        drop();
    else
        die("what does '%s' mean?", line);
}

/* ---- turns ---- */

/* Each replica once a second, a slice of them at a time. */
static void acknowledge_slice(void)
{
    for (unsigned i = swarm.slice; i < swarm.count; i += ACK_SLICES) {
        if (swarm.replicas[i].stage == STREAMING)
            acknowledge(&swarm.replicas[i]);
    }
    swarm.slice = (swarm.slice + 1) % ACK_SLICES;
}

static void turn(uint64_t *acknowledged_ns)
{
    struct epoll_event events[EVENTS];
    bool orders = false;
    int count = epoll_wait(swarm.epoll, events, EVENTS, 1000 / ACK_SLICES);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL)
            orders = true;
        else
            receive(events[i].data.ptr);
    }
    while (orders || has_order()) { /* after the replicas: `drop` frees them */
        obey();
        orders = false;
    }
    for (unsigned i = 0; i < HANDSHAKE_MAX && swarm.count < swarm.wanted; i++) {
        if (swarm.count - swarm.loaded < HANDSHAKE_MAX)
            connect_one();
    }
    if (now_ns() - *acknowledged_ns > UINT64_C(1000000000) / ACK_SLICES) {
        acknowledge_slice();
        *acknowledged_ns = now_ns();
    }
    if (swarm.is_attaching && swarm.loaded == swarm.wanted)
        tell_attached();
    if (expected.is_on && expected.done == swarm.count && swarm.count > 0)
        tell_done();
}

static enum wire_kind kind_of(const char *word)
{
    if (strcmp(word, "tls") == 0)
        return WIRE_TLS;
    if (strcmp(word, "tls-unread") != 0)
        die("what wire is '%s'?", word);
    return WIRE_TLS_UNREAD;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3)
        die("usage: swarm PORT [tls | tls-unread]");
    swarm.port = port_of(argv[1]);
    swarm.kind = argc == 3 ? kind_of(argv[2]) : WIRE_PLAIN;
    swarm.replicas = calloc(REPLICAS_MAX, sizeof swarm.replicas[0]);
    swarm.epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(swarm.replicas != NULL && swarm.epoll != -1);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(swarm.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0);
    uint64_t acknowledged_ns = now_ns();
    tell("ready");
    for (;;)
        turn(&acknowledged_ns);
}
