/* SPDX-License-Identifier: MIT
 *
 * Which connections of the link are made under TLS. What TLS does is the net room's.
 */
#include "fake_conn.h"
#include "link_stage.h"
#include "test.h"

/* Contexts are only passed on: any two addresses will do. */
static char one;
static char other;

static struct tls_context *context(char *address)
{
    return (struct tls_context *)(void *)address;
}

LINK_TEST(a_context_is_for_the_connections_that_come)
{
    stage_start();
    link_set_tls(stage.link, context(&one));
    struct conn *first = stage_await();
    assert_ptr_equal(fake_conn_tls(first), &one);

    link_set_tls(stage.link, context(&other));
    assert_ptr_equal(fake_conn_tls(first), &one);
    fake_conn_down(first, "TLS: the server's certificate is not accepted: it has expired");
    fake_conn_run(first);
    stage_expect_state(LINK_RETRYING);
    assert_non_null(strstr(stage_status().last_error, "it has expired"));
    struct conn *second = stage_await();
    assert_ptr_equal(fake_conn_tls(second), &other);

    link_set_tls(stage.link, NULL);
    fake_conn_down(second, "Connection refused");
    fake_conn_run(second);
    assert_null(fake_conn_tls(stage_await()));
}
