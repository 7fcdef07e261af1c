/* SPDX-License-Identifier: MIT
 *
 * A primary that costs next to nothing: one replica at a time, its RDB from a file, and a stream that is
 * made of one command over and over, flat out or at a rate. Whatever stands in the relay's place is fed
 * by it, so that it is the middle that is measured.
 *
 *     primary PORT [RDB-FILE]          says "ready"
 *     plan BYTES VALUE RATE           what the next stream will be: at least BYTES of SETs with values of
 *                                     VALUE bytes; RATE bytes a second, 0: flat out.
 *                                     Says "plan FROM TO LENGTH STAMP": offsets of the stream, the length
 *                                     of a command, and where in it the time of its sending stands (8
 *                                     bytes, only where there is a rate).
 *     go                              sends it, and says "sent NS"
 *     hold, release                   between the two no RDB begins; release says "released NS", the time
 *                                     before its first byte went
 *
 * While nothing is planned a PING goes out now and then, as real primaries do it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum {
    KEYS = 1000,
    KEY_DIGITS = 4,
    STAMP_BYTES = 8,
    PING_MS = 5000,
    PACE_NS = 250 * 1000,
    BLOCK_BYTES = 1024 * 1024,
    VALUE_MAX = 64 * 1024,
};

static const char PING[] = "*1\r\n$4\r\nPING\r\n";

struct primary {
    int listener;
    int rdb; /* -1: the empty one */
    uint64_t rdb_bytes;
    int peer; /* -1: nobody is there */
    bool is_held;
    bool is_planned;
    uint64_t offset; /* of the stream: what was sent */
    uint64_t planned_bytes;
    uint64_t rate;
    size_t command_bytes;
    size_t stamp_at;
    uint8_t *block; /* the command over and over, with other keys */
    size_t block_bytes;
};

/* ---- the stream ---- */

/* A SET. Returns its length; *stamp_at: where its value begins. */
static size_t put_command(uint8_t *into, unsigned key, size_t value_bytes, size_t *stamp_at)
{
    char head[64];
    int length = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%d\r\n%0*u\r\n$%zu\r\n",
                          KEY_DIGITS, KEY_DIGITS, key, value_bytes);
    CHECK(length > 0 && (size_t)length < sizeof head);
    *stamp_at = (size_t)length;
    memcpy(into, head, *stamp_at);
    memset(into + *stamp_at, 'v', value_bytes);
    memcpy(into + *stamp_at + value_bytes, "\r\n", 2);
    return *stamp_at + value_bytes + 2;
}

static void fill_block(struct primary *primary, size_t value_bytes)
{
    primary->block_bytes = 0;
    for (unsigned i = 0; primary->block_bytes < BLOCK_BYTES; i++) {
        primary->command_bytes = put_command(primary->block + primary->block_bytes, i % KEYS,
                                             value_bytes, &primary->stamp_at);
        primary->block_bytes += primary->command_bytes;
    }
}

static bool send_stream(struct primary *primary, const void *data, size_t length)
{
    if (!send_all(primary->peer, data, length))
        return false;
    primary->offset += length;
    return true;
}

/* Acknowledgements are read now and then, or the replica would stop for want of room. */
static bool flood(struct primary *primary, uint64_t end)
{
    while (primary->offset < end) {
        uint64_t left = end - primary->offset;
        size_t length = left < primary->block_bytes ? (size_t)left : primary->block_bytes;
        if (!send_stream(primary, primary->block, length) || !discard_input(primary->peer))
            return false;
    }
    return true;
}

static void stamp(struct primary *primary, size_t commands)
{
    uint64_t now = now_ns();
    for (size_t i = 0; i < commands; i++)
        memcpy(primary->block + i * primary->command_bytes + primary->stamp_at, &now, STAMP_BYTES);
}

/* In small steps: a real primary's writes do not come in bursts. */
static bool pace(struct primary *primary, uint64_t end)
{
    uint64_t start = now_ns();
    uint64_t from = primary->offset;
    uint64_t commands_max = primary->block_bytes / primary->command_bytes;
    while (primary->offset < end) {
        double due = (double)(now_ns() - start) * (double)primary->rate / 1e9;
        uint64_t target = from + (uint64_t)due < end ? from + (uint64_t)due : end;
        uint64_t commands =
            target > primary->offset ? (target - primary->offset) / primary->command_bytes : 0;
        commands = commands < commands_max ? commands : commands_max;
        stamp(primary, (size_t)commands);
        if (!send_stream(primary, primary->block, (size_t)commands * primary->command_bytes) ||
            !discard_input(primary->peer))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = PACE_NS}, NULL);
    }
    return true;
}

/* ---- orders ---- */

static void plan(struct primary *primary, const char *words)
{
    size_t value_bytes;
    if (sscanf(words, "%" SCNu64 " %zu %" SCNu64, &primary->planned_bytes, &value_bytes,
               &primary->rate) != 3 ||
        value_bytes < STAMP_BYTES || value_bytes > VALUE_MAX)
        die("plan BYTES VALUE RATE is expected, not '%s'", words);
    fill_block(primary, value_bytes);
    uint64_t commands = primary->planned_bytes / primary->command_bytes + 1;
    primary->planned_bytes = commands * primary->command_bytes;
    primary->is_planned = true;
    tell("plan %" PRIu64 " %" PRIu64 " %zu %zu", primary->offset,
         primary->offset + primary->planned_bytes, primary->command_bytes, primary->stamp_at);
}

static bool go(struct primary *primary)
{
    uint64_t end = primary->offset + primary->planned_bytes;
    primary->is_planned = false;
    uint64_t start = now_ns();
    bool is_there = primary->rate == 0 ? flood(primary, end) : pace(primary, end);
    tell("sent %" PRIu64, start);
    return is_there;
}

/* False: the replica is gone. */
static bool obey(struct primary *primary)
{
    char line[LINE_MAX_BYTES];
    if (!next_order(line))
        exit(EXIT_SUCCESS);
    errno = 0;
    if (strcmp(line, "hold") == 0)
        primary->is_held = true;
    else if (strcmp(line, "release") == 0)
        primary->is_held = false;
    else if (strncmp(line, "plan ", 5) == 0)
        plan(primary, line + 5);
    else if (strcmp(line, "go") == 0 && primary->peer != -1 && primary->is_planned)
        return go(primary);
    else
        die("what does '%s' mean now?", line);
    return true;
}

/* ---- the replica ---- */

/* Waits for `fd` and for orders; returns what the descriptor has, 0: the time is up, or an order came. */
static short wait_for(struct primary *primary, int fd, int limit_ms, bool *is_there)
{
    struct pollfd polled[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    if (!has_order() && poll(polled, 2, limit_ms) == -1)
        return 0;
    if (has_order() || polled[0].revents != 0)
        *is_there = obey(primary);
    return polled[1].revents;
}

static bool greet(struct primary *primary)
{
    struct handshake handshake;
    handshake_init(&handshake);
    for (;;) {
        enum handshake_result result = handshake_read(&handshake, primary->peer);
        if (result != HANDSHAKE_MORE)
            return result == HANDSHAKE_DONE;
    }
}

static bool send_file(const struct primary *primary)
{
    off_t position = 0;
    while ((uint64_t)position < primary->rdb_bytes) {
        ssize_t sent = sendfile(primary->peer, primary->rdb, &position, BLOCK_BYTES);
        if (sent <= 0 || !discard_input(primary->peer))
            return false;
    }
    return true;
}

static bool send_rdb(struct primary *primary)
{
    char head[128];
    size_t length = format_full_sync(head, sizeof head, primary->offset, primary->rdb_bytes);
    if (!send_all(primary->peer, head, length))
        return false;
    bool was_held = primary->is_held;
    bool is_there = true;
    while (primary->is_held && is_there)
        (void)wait_for(primary, -1, -1, &is_there);
    if (was_held)
        tell("released %" PRIu64, now_ns());
    if (primary->rdb != -1)
        return is_there && send_file(primary);
    uint8_t rdb[EMPTY_RDB_BYTES];
    empty_rdb(rdb);
    return is_there && send_all(primary->peer, rdb, sizeof rdb);
}

static void stream(struct primary *primary)
{
    bool is_there = true;
    uint64_t pinged = now_ns();
    while (is_there) {
        short ready = wait_for(primary, primary->peer, PING_MS, &is_there);
        if (is_there && ready != 0)
            is_there = discard_input(primary->peer);
        if (is_there && !primary->is_planned && now_ns() - pinged > PING_MS * UINT64_C(1000000)) {
            is_there = send_stream(primary, PING, strlen(PING));
            pinged = now_ns();
        }
    }
}

static void serve(struct primary *primary)
{
    if (greet(primary) && send_rdb(primary))
        stream(primary);
    close(primary->peer);
    primary->peer = -1;
}

static void open_rdb(struct primary *primary, const char *path)
{
    struct stat status;
    primary->rdb = open(path, O_RDONLY | O_CLOEXEC);
    if (primary->rdb == -1 || fstat(primary->rdb, &status) == -1)
        die("%s", path);
    primary->rdb_bytes = (uint64_t)status.st_size;
}

int main(int argc, char **argv)
{
    struct primary primary = {.rdb = -1, .rdb_bytes = EMPTY_RDB_BYTES, .peer = -1};
    if (argc < 2 || argc > 3)
        die("usage: primary PORT [RDB-FILE]");
    if (argc == 3)
        open_rdb(&primary, argv[2]);
    primary.block = malloc(BLOCK_BYTES + VALUE_MAX + 64);
    CHECK(primary.block != NULL);
    (void)prctl(PR_SET_TIMERSLACK, 1L);
    primary.listener = listen_at(port_of(argv[1]));
    tell("ready");
    for (;;) {
        bool is_there = true;
        if (wait_for(&primary, primary.listener, -1, &is_there) == 0)
            continue;
        primary.peer = accept4(primary.listener, NULL, NULL, SOCK_CLOEXEC);
        if (primary.peer != -1)
            serve(&primary);
    }
}
