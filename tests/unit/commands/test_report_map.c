/* SPDX-License-Identifier: MIT */
#include "../../../relay/commands/report_map.h"

#include "test.h"

static void expect(const char *report, int protocol, const char *expected)
{
    struct text out;
    text_init(&out, 4096);
    struct writer writer = {.out = &out, .protocol = protocol};
    report_write_map(&writer, bytes_of(report));
    assert_string_equal(text_string(&out), expected);
    text_fini(&out);
}

TEST(lines_are_pairs)
{
    static const char report[] =
        "# Store\r\nhistory:current\r\nsegments:12\r\n\r\nnone:\r\nbelow:-1\r\n";
    expect(
        report, 3,
        "%4\r\n$7\r\nhistory\r\n$7\r\ncurrent\r\n$8\r\nsegments\r\n:12\r\n$4\r\nnone\r\n$0\r\n\r\n"
        "$5\r\nbelow\r\n:-1\r\n");
    expect(
        report, 2,
        "*8\r\n$7\r\nhistory\r\n$7\r\ncurrent\r\n$8\r\nsegments\r\n:12\r\n$4\r\nnone\r\n$0\r\n\r\n"
        "$5\r\nbelow\r\n:-1\r\n");
}

TEST(fields_are_a_map_in_the_map)
{
    expect("snapshot0:offset=7,state=complete,reason=\r\n", 3,
           "%1\r\n$9\r\nsnapshot0\r\n%3\r\n$6\r\noffset\r\n:7\r\n$5\r\nstate\r\n$8\r\ncomplete\r\n"
           "$6\r\nreason\r\n$0\r\n\r\n");
    expect("snapshot0:a=1,b=2,c=3\r\n", 2,
           "*2\r\n$9\r\nsnapshot0\r\n*6\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n$1\r\nc\r\n:3\r\n");
}

TEST(texts_stay_texts)
{
    expect("e:cannot write: a=1,b=2,c=3\r\n", 3,
           "%1\r\n$1\r\ne\r\n$25\r\ncannot write: a=1,b=2,c=3\r\n");
    expect("e:a=1,b=2\r\n", 3, "%1\r\n$1\r\ne\r\n$7\r\na=1,b=2\r\n");
    expect("e:a=1,,b=2,c=3\r\n", 3, "%1\r\n$1\r\ne\r\n$12\r\na=1,,b=2,c=3\r\n");
    expect("e:=1,b=2,c=3\r\n", 3, "%1\r\n$1\r\ne\r\n$10\r\n=1,b=2,c=3\r\n");
    expect("e:12x\r\n", 3, "%1\r\n$1\r\ne\r\n$3\r\n12x\r\n");
    expect("e:18446744073709551615\r\n", 3, "%1\r\n$1\r\ne\r\n$20\r\n18446744073709551615\r\n");
}

TEST(nothing_is_an_empty_map)
{
    expect("", 3, "%0\r\n");
    expect("# Store\r\n", 2, "*0\r\n");
    expect("no end", 3, "%1\r\n$6\r\nno end\r\n$0\r\n\r\n");
}
