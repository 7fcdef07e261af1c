/* SPDX-License-Identifier: MIT */
#include "relay/net/listener.h"

#include "relay/base/error.h"

#include <sys/resource.h>

#include "relay/base/log.h"
#include "sockets.h"

struct house {
    struct loop *loop;
    struct listener *listener;
    unsigned accepted;
    unsigned stop_at;
    bool closes_when_accepting;
    unsigned turns;
};

static void on_accepted(int fd, void *arg)
{
    struct house *house = arg;
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    if (house->closes_when_accepting)
        listener_close(&house->listener);
    if (++house->accepted == house->stop_at)
        loop_stop(house->loop);
}

static void count_turn(void *arg)
{
    ((struct house *)arg)->turns++;
}

static void begin(struct house *house, const char *address, unsigned stop_at)
{
    *house = (struct house){.loop = new_loop(), .stop_at = stop_at};
    struct error error = {.text = ""};
    house->listener = listener_open(house->loop, address, 0, on_accepted, house, &error);
    assert_string_equal(error.text, "");
    assert_non_null(house->listener);
}

static void end(struct house *house)
{
    listener_close(&house->listener);
    assert_null(house->listener);
    loop_free(&house->loop);
}

static void refuse(const char *address, uint16_t port, const char *expected)
{
    struct loop *loop = new_loop();
    struct error error = {.text = ""};
    assert_null(listener_open(loop, address, port, on_accepted, NULL, &error));
    assert_string_equal(error.text, expected);
    assert_int_equal(listener_try(address, port, &error), -1);
    assert_string_equal(error.text, expected);
    bool is_taken = strstr(expected, "already in use") != NULL;
    assert_int_equal(error.kind == ERROR_IN_USE, is_taken);
    loop_free(&loop);
}

TEST(accepts_what_connects)
{
    struct house house;
    begin(&house, "127.0.0.1", 3);
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = connected_to(listener_port(house.listener));
    run(house.loop, "three clients");
    assert_int_equal(house.accepted, 3);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    end(&house);
}

TEST(a_star_is_every_address)
{
    struct house house;
    begin(&house, "*", 1);
    int client = connected_to(listener_port(house.listener));
    run(house.loop, "a client");
    assert_int_equal(house.accepted, 1);
    close(client);
    end(&house);
}

/* So that both families can have the same port, whatever the system's default is. */
TEST(ipv6_takes_its_own_family_only)
{
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe == -1)
        skip(); /* a machine without IPv6 */
    close(probe);
    struct house six;
    begin(&six, "::*", 1);
    struct error error = {.text = ""};
    uint16_t port = listener_port(six.listener);
    struct listener *four = listener_open(six.loop, "0.0.0.0", port, on_accepted, &six, &error);
    assert_string_equal(error.text, "");
    assert_non_null(four);
    listener_close(&four);
    end(&six);
}

TEST(a_port_that_is_taken_is_refused_in_words)
{
    int other = listening_socket(1);
    char expected[100];
    snprintf(expected, sizeof expected, "bind 127.0.0.1 port %u: Address already in use",
             port_of(other));
    refuse("127.0.0.1", port_of(other), expected);
    close(other);
}

/* Two that want the same port find each other, as they would when they are opened. */
TEST(a_port_that_is_tried_is_held_until_it_is_closed)
{
    int other = listening_socket(1);
    uint16_t port = port_of(other);
    struct error error;
    close(other);
    int held = listener_try("127.0.0.1", port, &error);
    assert_true(held != -1);
    assert_int_equal(listener_try("*", port, &error), -1);
    assert_int_equal(error.kind, ERROR_IN_USE);
    close(held);
    held = listener_try("*", port, &error);
    assert_true(held != -1);
    close(held);
}

TEST(an_address_that_is_not_ours_or_none_is_refused_in_words)
{
    refuse("192.0.2.1", 6379, "bind 192.0.2.1 port 6379: Cannot assign requested address");
    refuse("host.example", 6379, "bind host.example port 6379: not a numeric address");
    refuse("", 6379, "bind  port 6379: not a numeric address");
}

TEST(addresses_of_a_bind_have_blanks_between_them)
{
    char list[400] = " 127.0.0.1\t-::1  * -";
    const char *rest = list;
    struct listener_address address;
    static const struct {
        const char *text;
        bool may_miss;
    } expected[] = {{"127.0.0.1", false}, {"::1", true}, {"*", false}, {"", true}};
    for (size_t i = 0; i < LENGTH_OF(expected); i++) {
        assert_true(listener_next_address(&rest, &address));
        assert_string_equal(address.text, expected[i].text);
        assert_int_equal(address.may_miss, expected[i].may_miss);
    }
    assert_false(listener_next_address(&rest, &address));
    memset(list, '1', sizeof list - 1);
    rest = list;
    assert_true(listener_next_address(&rest, &address));
    assert_int_equal(strlen(address.text), sizeof address.text - 1);
    assert_false(listener_next_address(&rest, &address));
}

TEST(it_may_be_closed_in_its_callback)
{
    struct house house;
    begin(&house, "127.0.0.1", 1);
    house.closes_when_accepting = true;
    int first = connected_to(listener_port(house.listener));
    int second = connected_to(listener_port(house.listener));
    run(house.loop, "a client");
    assert_null(house.listener);
    run_for(house.loop, 20);
    assert_int_equal(house.accepted, 1);
    close(first);
    close(second);
    end(&house);
}

static unsigned lines_with(const char *path, const char *words)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[500];
    unsigned count = 0;
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, words) != NULL;
    fclose(file);
    return count;
}

/* No descriptor is left when the client comes: the lowest free number is over the limit. */
TEST(without_descriptors_it_rests_and_says_so_once)
{
    struct house house;
    char log[32];
    close(make_file("", log));
    struct text why;
    text_init(&why, 1000);
    assert_true(log_open(log, &why));
    begin(&house, "127.0.0.1", 1);
    loop_at_turn_end(house.loop, count_turn, &house);
    int client = connected_to(listener_port(house.listener));
    struct rlimit all;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    int lowest_free = dup(client);
    close(lowest_free);
    struct rlimit none = {.rlim_cur = (rlim_t)lowest_free, .rlim_max = all.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);

    unsigned rounds = 0;
    do { /* the first try and three more; on a machine that stood still meanwhile, once again */
        run_for(house.loop, 350);
        rounds++;
    } while (house.turns < 2 && rounds < 20);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    assert_int_equal(house.accepted, 0);
    assert_in_range(house.turns, 2, 20 * rounds); /* no circles */
    assert_int_equal(lines_with(log, "cannot accept"), 1);
    assert_int_equal(lines_with(log, "Too many open files"), 1);

    run(house.loop, "the client that waited");
    assert_int_equal(house.accepted, 1);
    assert_int_equal(lines_with(log, "accepts again"), 1);
    assert_true(log_open(NULL, &why));
    text_fini(&why);
    unlink(log);
    close(client);
    end(&house);
}
