/* SPDX-License-Identifier: MIT */
#include "relay/net/networks.h"

#include "test.h"

TEST(has_what_is_in_its_networks)
{
    struct networks networks;
    assert_true(networks_parse(" 10.0.0.0/8\t192.0.2.7 2001:db8::/33 ", &networks));
    static const char *const in[] = {"10.0.0.0",  "10.255.255.255", "::ffff:10.1.2.3",
                                     "192.0.2.7", "2001:db8::1",    "2001:db8:7fff::1"};
    static const char *const out[] = {
        "11.0.0.0", "9.255.255.255", "192.0.2.8",  "2001:db8:8000::", "::1",
        "",         "name",          "10.0.0.1:80"};
    for (size_t i = 0; i < LENGTH_OF(in); i++)
        assert_true(networks_have(&networks, in[i]));
    for (size_t i = 0; i < LENGTH_OF(out); i++)
        assert_false(networks_have(&networks, out[i]));
    struct text text;
    text_init(&text, 1024);
    networks_format(&networks, &text);
    assert_string_equal(text_string(&text), "10.0.0.0/8 192.0.2.7 2001:db8::/33");
    text_fini(&text);
}

TEST(refuses_what_is_no_network)
{
    static const char *const bad[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0/8",   "name",        "::/129",
                                      "::1/127",    "10.0.0.0/-1", "/8"};
    struct networks networks;
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_false(networks_parse(bad[i], &networks));
    assert_true(networks_parse("", &networks));
    assert_int_equal(networks.count, 0);
    assert_true(networks_parse("0.0.0.0/0", &networks));
    assert_true(networks_have(&networks, "8.8.8.8"));
    assert_false(networks_have(&networks, "::1"));
}

TEST(knows_this_machine)
{
    assert_true(networks_is_loopback("127.9.9.9"));
    assert_true(networks_is_loopback("::1"));
    assert_false(networks_is_loopback("192.0.2.7"));
    assert_false(networks_is_loopback(""));
}
