/* SPDX-License-Identifier: MIT
 *
 * The whole link over a real store, with a primary that says whatever it likes: what the history holds
 * is what came behind the RDB, byte for byte. "\n@s" in the input lets a second go by, "\n@e" ends the
 * connection; the next one hears what follows.
 */
#include "fuzz.h"

#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"

enum { CONNECTIONS_MAX = 4, HELD_MAX = 1 << 20 };

/* Everything on the first connection came in this order: what is held is its end. */
static void check_held(struct bytes said)
{
    struct link_status status;
    struct text held;
    link_status(stage.link, &status);
    if (status.state != LINK_STREAMING)
        return;
    const struct history *history = store_current(stage.temp.store);
    CHECK(history_boundary(history) <= history_end(history));
    text_init(&held, HELD_MAX);
    temp_store_read(&stage.temp, history_first(history), &held);
    CHECK(held.length <= said.length);
    CHECK(bytes_equal(text_bytes(&held), bytes_skip(said, said.length - held.length)));
    text_fini(&held);
}

/* What the primary says on one connection, up to its end or ours. */
static void play(struct bytes *input, struct cuts cuts, bool is_first)
{
    struct conn *primary = stage_connect();
    struct bytes start = *input;
    while (input->length > 0 && !fake_conn_is_closed(primary)) {
        struct bytes part;
        char act = fuzz_part(input, &part);
        while (part.length > 0 && !fake_conn_is_closed(primary)) {
            fake_conn_feed(primary, cuts_next(&cuts, &part));
            fake_conn_run(primary);
        }
        fake_conn_forget_sent(primary);
        if (is_first && act == '\0')
            check_held(start);
        is_first = is_first && act == '\0';
        if (act == 's')
            stage_second();
        if (act == 'e' && !fake_conn_is_closed(primary)) {
            fake_conn_end(primary);
            fake_conn_run(primary);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_at(data, size);
    stage_open(NULL);
    fuzz_log_nowhere();
    stage_start();
    play(&input, cuts_of(data, size), true);
    for (int i = 1; i < CONNECTIONS_MAX && input.length > 0; i++) {
        /* A link that streams and has not been closed goes on hearing the same primary. */
        while (!stage_has_new() && !fake_conn_is_closed(fake_conn_newest()))
            stage_second();
        play(&input, cuts_of(data, size), false);
    }
    stage_close(NULL);
    return 0;
}
