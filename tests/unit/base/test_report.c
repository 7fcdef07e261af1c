/* SPDX-License-Identifier: MIT */
#include "relay/base/report.h"

#include "test.h"

TEST(sections_and_values_look_as_info_does)
{
    struct text out;
    text_init(&out, 1000);
    struct report report = {.out = &out};
    report_section(&report, "Server");
    report_text(&report, "version", "%d.%d", 7, 0);
    report_section(&report, "Replication");
    report_u64(&report, "master_repl_offset", UINT64_MAX);
    report_i64(&report, "second_repl_offset", -1);
    report_text(&report, "master_host", "%s", "");
    assert_string_equal(text_string(&out), "# Server\r\nversion:7.0\r\n"
                                           "\r\n# Replication\r\n"
                                           "master_repl_offset:18446744073709551615\r\n"
                                           "second_repl_offset:-1\r\n"
                                           "master_host:\r\n");
    assert_int_equal(report.sections, 2);
    text_fini(&out);
}

TEST(a_value_cannot_forge_a_field)
{
    struct text out;
    text_init(&out, 1000);
    struct report report = {.out = &out};
    report_text(&report, "name", "%s", "x\r\nrole:master\n");
    assert_string_equal(text_string(&out), "name:x  role:master \r\n");
    text_fini(&out);
}

TEST(a_report_over_its_limit_is_marked)
{
    struct text out;
    text_init(&out, 12);
    struct report report = {.out = &out};
    report_section(&report, "Server");
    assert_false(out.failed);
    report_text(&report, "version", "%s", "7.0.15");
    assert_true(out.failed);
    assert_string_equal(text_string(&out), "# Server\r\n");
    text_fini(&out);
}
