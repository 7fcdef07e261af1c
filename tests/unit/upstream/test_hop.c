/* SPDX-License-Identifier: MIT */
#include "relay/upstream/hop.h"

#include "test.h"

/* What was read, as it is written. */
static const char *read(const char *section)
{
    static char shown[8192];
    struct hops hops;
    struct text text;
    text_init(&text, sizeof(shown));
    hops_read(bytes_of(section), &hops);
    for (size_t i = 0; i < hops.count; i++) {
        hop_format(&hops.at[i], &text);
        text_append_string(&text, ";");
    }
    snprintf(shown, sizeof(shown), "%s", text_string(&text));
    text_fini(&text);
    return shown;
}

TEST(what_is_written_is_read)
{
    assert_string_equal(read("# Relay\r\nupstream_hops:3\r\n"
                             "upstream_hop0:host=10.0.0.5,port=6380,link=up,silence=0\r\n"
                             "upstream_hop1:host=2001:db8::1,port=6380,link=sync,silence=7\r\n"
                             "upstream_hop2:host=,port=0,link=down,silence=31\r\n"
                             "ack:received\r\n"),
                        "host=10.0.0.5,port=6380,link=up,silence=0;"
                        "host=2001:db8::1,port=6380,link=sync,silence=7;"
                        "host=,port=0,link=down,silence=31;");
}

TEST(newer_relays_may_tell_more)
{
    assert_string_equal(read("upstream_hop0:host=a,rtt=4,port=1,link=up,silence=2,more=x=y"),
                        "host=a,port=1,link=up,silence=2;");
}

TEST(what_is_no_hop_is_passed_over)
{
    static const char *const lines[] = {
        "",
        "upstream_hop0:",
        "upstream_hop0:host=a,port=1,link=up",
        "upstream_hop0:host=a b,port=1,link=up,silence=2",
        "upstream_hop0:host=a,port=65536,link=up,silence=2",
        "upstream_hop0:host=a,port=1,link=gone,silence=2",
        "upstream_hop0:host=a,port=1,link=up,silence=-2",
        "upstream_hop0:host=a,port=1,link=up,silence=99999999999999999999",
        "upstream_hop0:host=a,port=1,link=up,silence=9999999999999999",
        "upstream_hop1:host=a,port=1,link=up,silence=2",
    };
    for (size_t i = 0; i < LENGTH_OF(lines); i++)
        assert_string_equal(read(lines[i]), "");
}

TEST(there_are_not_more_than_fit)
{
    char section[4096] = "";
    struct hops hops;
    for (int i = 0; i < HOPS_MAX + 5; i++) {
        size_t length = strlen(section);
        snprintf(section + length, sizeof(section) - length,
                 "upstream_hop%d:host=h%d,port=1,link=up,silence=%d\r\n", i, i, 20 - i);
    }
    hops_read(bytes_of(section), &hops);
    assert_int_equal(hops.count, HOPS_MAX);
    assert_string_equal(hops.at[HOPS_MAX - 1].to.host, "h7");
    assert_int_equal(hops_silence_ms(&hops), 20 * 1000);
}
