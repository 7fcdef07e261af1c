/* SPDX-License-Identifier: MIT */
#include "../../../relay/net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/net/conn.h"
#include "test.h"

/* Every Linux has it, and lets everybody use it. */
#define ALWAYS "reno"

TEST(a_congestion_control_that_the_kernel_has)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd != -1);
    assert_true(socket_set_congestion(fd, ALWAYS));
    char name[CONN_CONGESTION_MAX] = "";
    socklen_t length = sizeof(name);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    assert_string_equal(name, ALWAYS);
    assert_false(socket_set_congestion(fd, "no-such-one"));
    close(fd);
}

TEST(one_that_it_has_not_is_told_with_advice)
{
    struct error error;
    assert_true(conn_may_have_congestion(ALWAYS, &error));
    assert_false(conn_may_have_congestion("no-such-one", &error));
    assert_non_null(strstr(error.text, "no-such-one"));
    assert_false(conn_may_have_congestion("a-name-that-is-too-long-for-it", &error));
}

TEST(what_has_not_gone_out_is_limited)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd != -1);
    socket_limit_unsent(fd, CONN_UNSENT_MAX);
    int value = 0;
    socklen_t length = sizeof(value);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &length), 0);
    assert_int_equal(value, CONN_UNSENT_MAX);
    close(fd);
}
