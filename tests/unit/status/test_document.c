/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/document.h"

#include "status_test.h"

static struct text out;

/* What status.json would be, for a client that knows the samples up to `since`. */
static const char *document(size_t rows_max, uint64_t since)
{
    text_fini(&out);
    text_init(&out, 1024 * 1024);
    take(PICTURE_WORST, rows_max);
    document_write(&picture, &out);
    document_write_samples(&samples, since, NOW_MS, INT64_C(1700000000000000), &out);
    assert_false(out.failed);
    return text_string(&out);
}

TEST(tells_what_there_is)
{
    set_up();
    const char *json = document(10, 0);
    assert_memory_equal(json, "{\"version\":1,\"relay\":{", 22);
    expect(json, "\"uptime_seconds\":90.000");
    expect(json, "\"findings\":[],\"upstream\":{\"host\":\"origin.example\",\"port\":6379");
    expect(json, "\"down_seconds\":null");
    expect(json, "\"sync\":null");
    expect(json, "\"snapshots\":[{\"offset\":20971520,\"bytes\":3145728");
    expect(json, "\"next_history\":null");
    expect(json, "\"replicas\":{\"waiting\":0,\"loading\":0,\"online\":1,\"lag_bytes_max\":0,"
                 "\"lag_seconds_max\":0.000,\"full_syncs\":0,\"full_syncs_held\":0,\"delayed\":0,"
                 "\"cannot_load\":0,\"not_listed\":0,"
                 "\"list\":[{\"id\":7");
    expect(json, "\"lag_bytes\":0,\"lag_seconds\":0.000,\"heard_seconds\":0.500");
    expect(json, "\"list\":[]}}\n");
}

/* What a peer has chosen stays a string. */
TEST(progress)
{
    set_up();
    expect(document(10, 0), "\"sync\":null,");
    fake_components.link.sync_in_progress = true;
    fake_components.link.sync_progress = (struct progress_view){.is_active = true,
                                                                .bytes = 1,
                                                                .total = 3,
                                                                .is_estimate = true,
                                                                .percent = 100.0 / 3,
                                                                .rate = 2,
                                                                .left_ms = 1000,
                                                                .taken_ms = 500};
    fake_components.replicas[0].full_sync =
        (struct progress_view){.is_active = true, .bytes = 9, .percent = -1, .left_ms = -1};
    const char *text = document(10, 0);
    expect(text, "\"progress\":{\"bytes\":1,\"total_bytes\":3,\"estimated\":true,"
                 "\"percent\":33.333,\"rate\":2,\"seconds_left\":1.000,"
                 "\"seconds_taken\":0.500}}");
    expect(text, "\"refresh_progress\":null");
    expect(text, "\"proof_progress\":null");
    expect(text, "\"stream_missing_rate\":0,\"held\":false,\"runs_behind\":false,\"delay_bytes\":0,"
                 "\"paused\":\"no\",\"full_sync\":{\"bytes\":9,\"total_bytes\":null,"
                 "\"estimated\":false,\"percent\":null,\"rate\":0,\"seconds_left\":null,"
                 "\"seconds_taken\":0.000}");
}

TEST(a_peer_cannot_break_out)
{
    set_up();
    fake_components.replicas[0].address = "a\"],\"version\":2,\"x\":[\"\\";
    fake_components.replicas[0].version = "\x01\xff</script>";
    fake_components.link.last_error = "said:\r\n\"no\"";
    const char *json = document(10, 0);
    expect(json,
           "\"address\":\"a\\u0022],\\u0022version\\u0022:2,\\u0022x\\u0022:[\\u0022\\u005c\"");
    expect(json, "\"version\":\"\\u0001\xef\xbf\xbd\\u003c/script\\u003e\"");
    expect(json, "\"last_error\":\"said:\\u000d\\u000a\\u0022no\\u0022\"");
    assert_int_equal(count(json, "\"version\":2"), 0);
}

/* Of very many replicas those are shown that are most behind, and all are counted. */
TEST(rows_are_bounded)
{
    set_up();
    fake_components.crowd = 10 * 1000;
    const char *json = document(200, 0);
    expect(json, "\"online\":10001,");
    expect(json, "\"not_listed\":9801,");
    expect(json, "\"lag_bytes_max\":10000,");
    assert_int_equal(count(json, "\"connected_seconds\""), 200);
    assert_int_equal(picture.row_count, 200);
    for (size_t i = 0; i < picture.row_count; i++)
        assert_in_range(picture.rows[i].lag_bytes, 9801, 10000);
    take(PICTURE_OLDEST, 200);
    for (size_t i = 0; i < picture.row_count; i++)
        assert_in_range(picture.rows[i].id, 7, 1205);
    take(PICTURE_OLDEST, 0);
    assert_int_equal(picture.rows_left_out, 10001);
}

TEST(samples_since)
{
    set_up();
    for (int i = 1; i <= 3; i++) {
        const struct sample sample = {.at_ms = NOW_MS - 3000 + i * 1000,
                                      .published = 50 * MIB,
                                      .received = (uint64_t)i * 5000,
                                      .sent = (uint64_t)i * 9000,
                                      .lag_bytes = (uint64_t)i,
                                      .lag_ms = i * 100};
        samples_add(&samples, &sample);
    }
    expect(document(10, 0), "\"samples\":{\"newest\":3,\"fields\":[\"time\",\"received_rate\","
                            "\"sent_rate\",\"lag_bytes\",\"lag_seconds\"],\"list\":["
                            "[1699999998.000,0,0,1,0.100],[1699999999.000,5000,9000,2,0.200],"
                            "[1700000000.000,5000,9000,3,0.300]]}}\n");
    expect(document(10, 2), "\"list\":[[1700000000.000,5000,9000,3,0.300]]}}\n");
    expect(document(10, 3), "\"list\":[]}}\n");
    /* That number is from a relay that ran before this one. */
    expect(document(10, 500), "\"list\":[[1699999998.000,");
    text_fini(&out);
}
