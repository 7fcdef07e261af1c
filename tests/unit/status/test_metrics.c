/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/metrics.h"

#include "status_test.h"

static struct text out;

static const char *metrics(size_t rows_max)
{
    text_fini(&out);
    text_init(&out, 1536 * 1024);
    take(PICTURE_OLDEST, rows_max);
    metrics_write(&picture, &out);
    assert_false(out.failed);
    return text_string(&out);
}

TEST(tells_what_there_is)
{
    set_up();
    fake_components.link.received_bytes = UINT64_C(9007199254740991);
    const char *text = metrics(10);
    expect(text, "\n# HELP psync_relay_link_up Whether the link to the primary is up.\n"
                 "# TYPE psync_relay_link_up gauge\npsync_relay_link_up 1\n");
    expect(text, "\npsync_relay_link_received_bytes_total 9007199254740991\n");
    expect(text, "\npsync_relay_link_silence_seconds 0.100\n");
    expect(text, "\npsync_relay_link_state{state=\"streaming\"} 1\n");
    expect(text, "\npsync_relay_link_state{state=\"retrying\"} 0\n");
    expect(text, "\npsync_relay_replicas{state=\"online\"} 1\n");
    expect(text, "\npsync_relay_connections_closed_total{reason=\"lagged\"} 0\n");
    expect(text, "\npsync_relay_snapshot_age_seconds 5\n");
    expect(text, "\npsync_relay_replica_lag_bytes{replica=\"10.0.0.1:6379\"} 0\n");
    expect(text, "\npsync_relay_ready 1\n");
}

static const struct progress_view half_way = {
    .is_active = true, .bytes = 50, .total = 100, .percent = 50, .rate = 10, .left_ms = 5000};

TEST(full_syncs_that_are_under_way)
{
    set_up();
    expect_not(metrics(10), "\npsync_relay_link_sync_bytes");
    expect_not(metrics(10), "\npsync_relay_replica_full_sync_bytes");
    fake_components.link.sync_progress = half_way;
    fake_components.link.refresh_progress =
        (struct progress_view){.is_active = true, .bytes = 7, .percent = -1, .left_ms = -1};
    fake_components.replicas[0].full_sync = half_way;
    fake_components.counts.full_syncs = 1;
    fake_components.counts.full_syncs_held = 2;
    const char *text = metrics(10);
    expect(text, "\npsync_relay_link_sync_bytes 50\n");
    expect(text, "\npsync_relay_link_sync_expected_bytes 100\n");
    expect(text, "\npsync_relay_link_sync_left_seconds 5\n");
    expect(text, "\npsync_relay_snapshot_refresh_bytes 7\n");
    expect_not(text, "\npsync_relay_snapshot_refresh_expected_bytes ");
    expect_not(text, "\npsync_relay_snapshot_refresh_left_seconds ");
    expect(text, "\npsync_relay_replica_full_sync_bytes{replica=\"10.0.0.1:6379\"} 50\n");
    expect(text, "\npsync_relay_replica_full_sync_expected_bytes{replica=\"10.0.0.1:6379\"} 100\n");
    expect(text, "\npsync_relay_replica_full_sync_left_seconds{replica=\"10.0.0.1:6379\"} 5\n");
    expect(text, "\npsync_relay_replicas_full_syncs_in_progress 1\n");
    expect(text, "\npsync_relay_replicas_full_syncs_held 2\n");
}

TEST(certificates_by_their_settings)
{
    set_up();
    add_certificate("downstream", "tls-cert-file", "/CN=a \"relay\"", 3600);
    add_certificate("upstream", "tls-ca-cert-file", "/CN=ca", -60);
    const char *text = metrics(10);
    const char *name = "\npsync_relay_tls_certificate_expires_in_seconds";
    char line[200];
    snprintf(line, sizeof(line),
             "%s{section=\"downstream\",setting=\"tls-cert-file\","
             "subject=\"/CN=a \\\"relay\\\"\"} 3600\n",
             name);
    expect(text, line);
    snprintf(line, sizeof(line),
             "%s{section=\"upstream\",setting=\"tls-ca-cert-file\",subject=\"/CN=ca\"} -60\n",
             name);
    expect(text, line);
}

TEST(the_links_of_a_chain)
{
    set_up();
    fake_components.above = (struct hops){
        .count = 1,
        .at = {
            {.to = {.host = "root.example", .port = 6379}, .link = HOP_DOWN, .silence_ms = 31000}}};
    const char *text = metrics(10);
    expect(text, "\npsync_relay_hop_up{hop=\"0\",to=\"origin.example:6379\"} 1\n");
    expect(text, "\npsync_relay_hop_up{hop=\"1\",to=\"root.example:6379\"} 0\n");
    expect(text, "\npsync_relay_hop_silence_seconds{hop=\"1\",to=\"root.example:6379\"} 31\n");
}

/* What is not known is left out rather than made up. */
TEST(without_a_history)
{
    set_up();
    fake_components.store = (struct store_status){.replid = replid_none(), .error = ""};
    fake_components.link.last_io_ms = 0;
    fake_components.replica_count = 0;
    const char *text = metrics(10);
    expect(text, "\npsync_relay_ready 0\n");
    expect(text, "\npsync_relay_snapshot_usable 0\n");
    assert_int_equal(count(text, "\npsync_relay_snapshot_age_seconds "), 0);
    assert_int_equal(count(text, "\npsync_relay_link_silence_seconds "), 0);
    assert_int_equal(count(text, "\npsync_relay_store_disk_free_bytes "), 0);
}

/* A series that is there twice would make Prometheus refuse all of it. */
TEST(each_series_once)
{
    set_up();
    fake_components.replicas[1] =
        replica(9, "10.0.0.1", 6379); /* came back, the other is not gone yet */
    fake_components.replicas[1].acknowledged -= 5;
    fake_components.replicas[2] = replica(8, "10.0.0.1", 0); /* redis-cli --rdb */
    fake_components.replica_count = 3;
    const char *text = metrics(10);
    assert_int_equal(count(text, "\npsync_relay_replica_online{"), 1);
    expect(text, "\npsync_relay_replica_lag_bytes{replica=\"10.0.0.1:6379\"} 5\n");
    expect(text, "\npsync_relay_replicas_not_listed 2\n");
    expect(text, "\npsync_relay_replicas{state=\"online\"} 3\n");
}

TEST(a_peer_cannot_break_out)
{
    set_up();
    fake_components.replicas[0].address = "a\"} 1\nforged 2\\\xff";
    const char *text = metrics(10);
    expect(
        text,
        "\npsync_relay_replica_online{replica=\"a\\\"} 1\\nforged 2\\\\\xef\xbf\xbd:6379\"} 1\n");
    assert_int_equal(count(text, "\nforged"), 0);
}

TEST(series_are_bounded)
{
    set_up();
    fake_components.crowd = 10 * 1000;
    const char *text = metrics(PICTURE_ROWS_MAX);
    assert_int_equal(count(text, "\npsync_relay_replica_online{"), PICTURE_ROWS_MAX);
    expect(text, "\npsync_relay_replicas_not_listed 9001\n");
    expect(text, "\npsync_relay_replicas_lag_max_bytes 10000\n");
    assert_in_range(out.length, 100 * 1000, 1024 * 1024);
    text_fini(&out);
}
