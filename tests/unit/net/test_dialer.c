/* SPDX-License-Identifier: MIT */
#include "../../../relay/net/dialer.h"

#include "resolving.h"

struct caller {
    struct loop *loop;
    struct dialer *dialer;
    int fd;
    unsigned told;
    char error[200];
};

static void on_dialed(int fd, const char *error, void *arg)
{
    struct caller *caller = arg;
    caller->fd = fd;
    caller->told++;
    snprintf(caller->error, sizeof caller->error, "%s", error);
    dialer_free(&caller->dialer);
    loop_stop(caller->loop);
}

static const char *first_address;
static const char *second_address; /* NULL: there is one only */

static void resolve_many(const char *host, struct addresses *found,
                         char error[NAME_QUERY_ERROR_MAX])
{
    assert_string_equal(host, "many.test");
    (void)error;
    add_address(found, first_address);
    if (second_address != NULL)
        add_address(found, second_address);
}

/* Dials a name that has these addresses. */
static struct caller dial(const char *first, const char *second, uint16_t port, int64_t try_ms)
{
    first_address = first;
    second_address = second;
    const struct dialer_options dialing = {
        .resolve = resolve_many, .stagger_ms = try_ms, .first_ms = 1000, .limit_ms = 4000};
    struct caller caller = {.loop = new_loop(), .fd = -1};
    caller.dialer = dialer_new(caller.loop, &dialing, "many.test", port, on_dialed, &caller);
    assert_non_null(caller.dialer);
    run(caller.loop, "the dialer's word");
    assert_int_equal(caller.told, 1);
    assert_null(caller.dialer);
    loop_free(&caller.loop);
    return caller;
}

TEST(the_next_address_is_tried_when_one_refuses)
{
    int listening = listening_socket(1);
    struct caller caller = dial("127.0.0.2", "127.0.0.1", port_of(listening), 1000);
    assert_true(caller.fd != -1);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    assert_int_equal(getpeername(caller.fd, (struct sockaddr *)&peer, &length), 0);
    assert_int_equal(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
    close(caller.fd);
    close(listening);
}

TEST(the_next_address_is_tried_when_one_does_not_answer)
{
    int listening = listening_socket(1);
    int clients[2];
    int silent = full_socket("127.0.0.2", port_of(listening), clients);
    int64_t begun_ms = clock_ms();
    struct caller caller = dial("127.0.0.2", "127.0.0.1", port_of(listening), 30);
    assert_true(caller.fd != -1);
    assert_true(clock_ms() - begun_ms >= 30);
    close(caller.fd);
    close(silent);
    close(clients[0]);
    close(clients[1]);
    close(listening);
}

/* One that does not answer is not given up while others are tried: here it answers last, and wins. */
TEST(a_slow_address_may_still_win)
{
    int listening = listening_socket(1);
    int clients[2];
    int slow = full_socket("127.0.0.2", port_of(listening), clients);
    first_address = "127.0.0.2";
    second_address = "127.0.0.3"; /* refuses */
    const struct dialer_options dialing = {
        .resolve = resolve_many, .stagger_ms = 10, .first_ms = 8000, .limit_ms = 8000};
    struct caller caller = {.loop = new_loop(), .fd = -1};
    caller.dialer =
        dialer_new(caller.loop, &dialing, "many.test", port_of(listening), on_dialed, &caller);
    run_for(caller.loop, 50);
    assert_int_equal(caller.told, 0);
    for (int i = 0; i < 2; i++) { /* room in its queue: the next SYN is taken */
        close(accept(slow, NULL, NULL));
        close(clients[i]);
    }
    run(caller.loop, "the slow address");
    assert_true(caller.fd != -1);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    assert_int_equal(getpeername(caller.fd, (struct sockaddr *)&peer, &length), 0);
    assert_int_equal(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK + 1);
    close(caller.fd);
    close(slow);
    close(listening);
    loop_free(&caller.loop);
}

/* All at once, and each for its own time: twice as long the next time, up to the limit. */
TEST(attempts_have_limits_that_double)
{
    int clients[4];
    int silent = full_socket("127.0.0.1", 0, clients);
    int other = full_socket("127.0.0.2", port_of(silent), clients + 2);
    first_address = "127.0.0.1";
    second_address = "127.0.0.2";
    const struct dialer_options dialing = {
        .resolve = resolve_many, .stagger_ms = 10, .first_ms = 100, .limit_ms = 300};
    struct caller caller = {.loop = new_loop(), .fd = -1};
    static const int64_t least_ms[] = {100, 200, 300, 300};
    for (size_t i = 0; i < LENGTH_OF(least_ms); i++) {
        int64_t begun_ms = clock_ms();
        caller.told = 0;
        caller.dialer =
            dialer_new(caller.loop, &dialing, "many.test", port_of(silent), on_dialed, &caller);
        run(caller.loop, "that nobody answers");
        assert_int_equal(caller.told, 1);
        assert_int_equal(caller.fd, -1);
        assert_non_null(strstr(caller.error, "Connection timed out"));
        assert_true(clock_ms() - begun_ms >= least_ms[i] + 10);
    }
    for (int i = 0; i < 4; i++)
        close(clients[i]);
    close(silent);
    close(other);
    loop_free(&caller.loop);
}

TEST(when_all_refuse_the_last_reason_is_told_with_its_address)
{
    int unheard = bound_socket(SOCK_STREAM, "0.0.0.0", 0);
    struct caller caller = dial("127.0.0.1", "127.0.0.2", port_of(unheard), 1000);
    assert_int_equal(caller.fd, -1);
    assert_string_equal(caller.error, "127.0.0.2: Connection refused");
    caller = dial("127.0.0.1", NULL, port_of(unheard), 1000);
    assert_string_equal(caller.error, "Connection refused");
    close(unheard);
}

static void never(int fd, const char *error, void *arg)
{
    (void)arg;
    fail_msg("a freed dialer has told: %d %s", fd, error);
}

TEST(a_dialer_may_be_freed_at_any_time)
{
    int clients[2];
    int silent = full_socket("127.0.0.1", 0, clients);
    struct loop *loop = new_loop();
    struct dialer *dialer =
        dialer_new(loop, &dialer_defaults, "127.0.0.1", port_of(silent), never, NULL);
    assert_non_null(dialer);
    dialer_free(&dialer); /* while it looks up */
    dialer = dialer_new(loop, &dialer_defaults, "127.0.0.1", port_of(silent), never, NULL);
    assert_non_null(dialer);
    run_for(loop, 20);
    dialer_free(&dialer); /* while it connects */
    run_for(loop, 20);
    loop_free(&loop);
    close(silent);
    close(clients[0]);
    close(clients[1]);
}
