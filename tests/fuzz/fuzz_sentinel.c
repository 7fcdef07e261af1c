/* SPDX-License-Identifier: MIT
 *
 * The watcher of Sentinels, among Sentinels that say whatever they like: it tells only what could be an
 * address, asks on for ever, and lets go of everything. "\n@s" lets a second go by, "\n@e" ends the
 * connection, "\n@a" is somebody who asks.
 */
#include "fuzz.h"

#include <stdio.h>

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/upstream/sentinel.h"

enum { SENTINELS = 2, PORT = 26379 };

static struct loop *loop;
static struct sentinel *sentinel;

static void on_address(const struct primary_address *primary, void *arg)
{
    (void)arg;
    CHECK(primary->host[0] != '\0' && primary->port > 0);
    CHECK(strnlen(primary->host, sizeof(primary->host)) < sizeof(primary->host));
}

static void open_scene(void)
{
    struct sentinel_options options = {.name = "mymaster"};
    fuzz_log_nowhere();
    for (uint16_t i = 0; i < SENTINELS; i++) {
        snprintf(options.sentinels.at[i].host, sizeof(options.sentinels.at[i].host), "s%u", i);
        options.sentinels.at[i].port = (uint16_t)(PORT + i);
    }
    options.sentinels.count = SENTINELS;
    loop = loop_new(&(struct error){0});
    sentinel = sentinel_open(loop, &options, on_address, NULL);
    CHECK(sentinel != NULL);
}

/* The one that is connected now, or to be. */
static struct conn *await(void)
{
    for (;;) {
        struct conn *newest = fake_conn_newest();
        if (newest != NULL && !fake_conn_is_closed(newest)) {
            if (!fake_conn_is_up(newest))
                fake_conn_up(newest);
            return newest;
        }
        CHECK(fake_loop_next_timer_ms(loop) != -1);
        fake_loop_pass(loop, fake_loop_next_timer_ms(loop));
    }
}

static void act(char letter)
{
    struct conn *newest = fake_conn_newest();
    if (letter == 's') {
        fake_loop_pass(loop, 1000);
        sentinel_tick(sentinel);
    }
    if (letter == 'a')
        sentinel_ask(sentinel);
    if (letter == 'e' && !fake_conn_is_closed(newest))
        fake_conn_end(newest);
    fake_loop_turn(loop);
    fake_conn_run_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_at(data, size);
    struct cuts cuts = cuts_of(data, size);
    open_scene();
    while (input.length > 0) {
        struct bytes part;
        struct conn *conn = await();
        char letter = fuzz_part(&input, &part);
        while (part.length > 0 && !fake_conn_is_closed(conn)) {
            fake_conn_feed(conn, cuts_next(&cuts, &part));
            fake_conn_run(conn);
            fake_conn_forget_sent(conn);
        }
        act(letter);
    }
    sentinel_close(&sentinel);
    for (size_t i = 0; i < fake_conn_count(); i++)
        CHECK(fake_conn_is_closed(fake_conn_nth(i)));
    fake_conn_reset();
    loop_free(&loop);
    return 0;
}
