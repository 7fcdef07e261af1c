/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/findings.h"
#include "../../../relay/status/readiness.h"

#include "relay/upstream/primary_rights.h"
#include "status_test.h"

static char names[500];
static char words[8 * FINDING_LENGTH_MAX];
static char advice[FINDING_LENGTH_MAX]; /* of the last */

static void note(const struct finding *finding, void *arg)
{
    (void)arg;
    size_t length = strlen(names);
    snprintf(names + length, sizeof(names) - length, "%s%s", length > 0 ? " " : "", finding->name);
    length = strlen(words);
    snprintf(words + length, sizeof(words) - length, "%s\n", finding->what);
    assert_true(finding->advice[0] != '\0');
    snprintf(advice, sizeof(advice), "%s", finding->advice);
}

/* The names of what is found, the worst first. */
static const char *found(void)
{
    names[0] = words[0] = '\0';
    take(PICTURE_WORST, 10);
    findings_each(&picture, note, NULL);
    return names;
}

/* "": it is ready. */
static const char *not_ready(void)
{
    static char why[READINESS_WHY_MAX];
    bool is_ready = readiness_look(&picture, picture.max_silence_ms, why);
    assert_int_equal(is_ready, why[0] == '\0');
    return why;
}

TEST(all_is_well)
{
    set_up();
    assert_string_equal(found(), "");
    assert_string_equal(not_ready(), "");
    /* Nobody is there yet, which is no fault. */
    fake_components.replica_count = 0;
    assert_string_equal(found(), "");
}

TEST(the_link_is_down)
{
    set_up();
    fake_components.link.is_up = false;
    fake_components.link.down_since_ms = NOW_MS - 1000;
    fake_components.link.last_error = "Connection refused";
    assert_string_equal(found(), "");
    fake_components.link.down_since_ms = NOW_MS - 180 * 1000;
    assert_string_equal(found(), "link_down");
    assert_string_equal(words, "The upstream link to origin.example:6379 has been down for 3 min: "
                               "Connection refused\n");
    assert_string_equal(not_ready(), ""); /* what is held is served */

    fake_components.link.down_since_ms = 0; /* never up */
    assert_string_equal(found(), "link_down");
    fake_components.store = (struct store_status){.replid = replid_none(), .error = ""};
    assert_string_equal(found(), "link_down");
    assert_string_equal(not_ready(), "Connection refused");

    fake_components.link.host = "";
    fake_components.link.candidates = 0;
    assert_string_equal(found(), "no_primary");
}

TEST(certificates_end)
{
    enum { DAY_S = 24 * 60 * 60 };
    set_up();
    add_certificate("upstream", "tls-ca-cert-file", "/CN=ca", 30 * DAY_S + 1);
    assert_string_equal(found(), "");
    add_certificate("downstream", "tls-cert-file", "/CN=relay", 29 * DAY_S + 1);
    assert_string_equal(found(), "certificate_expires_soon");
    assert_string_equal(words, "The certificate /CN=relay of [downstream] expires in 29 days.\n");
    expect(advice, "that [downstream] tls-cert-file names and send SIGHUP");
    add_certificate("upstream", "tls-ca-cert-file", "/CN=other ca", 6 * DAY_S);
    assert_string_equal(found(), "certificate_expires");
    assert_string_equal(words, "The CA /CN=other ca of [upstream] expires in 6 days.\n");
    add_certificate("upstream", "tls-cert-file", "/CN=relay", -3 * DAY_S);
    assert_string_equal(found(), "certificate_expires");
    assert_string_equal(words, "The certificate /CN=relay of [upstream] expired 3 days ago, and 1 "
                               "more will soon.\n");
}

TEST(another_history_waits)
{
    set_up();
    fake_components.link.wait = (struct link_wait){
        .is_waiting = true, .host = "other.example", .port = 7000, .replid = "", .left_ms = 90000};
    assert_string_equal(found(), "other_history");
    assert_string_equal(words,
                        "other.example:7000 has another history than the relay. No server that has "
                        "the relay's history answers.\n");
    fake_components.link.wait.left_ms = -1;
    fake_components.link.wait.is_foreign = true;
    assert_string_equal(found(), "other_history");
    assert_string_equal(
        words, "other.example:7000 has another history than the relay, which existed beside "
               "the relay's. No server that has the relay's history answers.\n");
}

TEST(an_rdb_arrives)
{
    set_up();
    fake_components.link.is_up = false;
    fake_components.link.sync_in_progress = true;
    fake_components.store = (struct store_status){.replid = replid_none(), .error = ""};
    assert_string_equal(found(), "sync_in_progress");
    assert_string_equal(words, "Upstream is preparing an RDB for the relay.\n");
    fake_components.link.sync_read_bytes = MIB;
    fake_components.link.sync_total_bytes = 4 * MIB;
    assert_string_equal(found(), "sync_in_progress");
    assert_string_equal(words, "An RDB is arriving from upstream: 1.0 MiB of 4.0 MiB.\n");
    assert_string_equal(not_ready(), "the first RDB is still arriving from upstream");
}

TEST(an_old_history_is_served)
{
    set_up();
    fake_components.link.is_up = false;
    fake_components.link.sync_in_progress = true;
    fake_components.link.sync_read_bytes = MIB;
    fake_components.link.old_history_since_ms = NOW_MS - 35 * 1000;
    assert_string_equal(found(), "old_history sync_in_progress");
    assert_string_equal(not_ready(), "an old history has been served for 35 s: upstream has a "
                                     "new one, whose RDB is not complete yet");
    picture.serves_old_history = true;
    assert_string_equal(not_ready(), "");
}

TEST(a_link_that_is_too_small_for_the_stream)
{
    set_up();
    fake_components.replicas[0].stream_missing = 8 * MIB;
    fake_components.replicas[0].stream_rate = 20 * MIB;
    assert_string_equal(found(), "replica_link_too_small");
    assert_string_equal(words, "The replica 10.0.0.1:6379 does not keep up with the stream: 20.0 "
                               "MiB/s are published, and 8.0 MiB/s of that are missing.\n");
}

TEST(full_syncs_that_are_held)
{
    set_up();
    fake_components.counts.full_syncs = 2;
    fake_components.counts.full_syncs_held = 1;
    assert_string_equal(found(), "full_sync_held");
    assert_string_equal(words, "1 replica waits for a full sync until one of 2 others is over.\n");
}

TEST(a_primary_that_is_silent_for_too_long)
{
    set_up();
    fake_components.link.stream_heard_ms = NOW_MS - 21 * 1000;
    assert_string_equal(found(), "");
    fake_components.link.stream_heard_ms = NOW_MS - 31 * 1000;
    assert_string_equal(found(), "stream_silent");
    assert_string_equal(
        words, "Nothing has arrived from origin.example:6379 for 31 s. A PING is due every "
               "10 s.\n");
    assert_string_equal(not_ready(), ""); /* by default what is held is served, however old */
    picture.max_silence_ms = 32 * 1000;
    assert_string_equal(not_ready(), "");
    picture.max_silence_ms = 30 * 1000;
    assert_string_equal(not_ready(), "nothing has arrived from upstream for 31 s");
    fake_components.link.is_up = false;
    fake_components.link.last_error = "Connection refused";
    found();
    picture.max_silence_ms = 30 * 1000;
    assert_string_equal(not_ready(),
                        "nothing has arrived from upstream for 31 s: Connection refused");
    fake_components.link.stream_heard_ms = 0; /* never: since the start */
    fake_components.silence_ms = 90 * 1000;
    found();
    picture.max_silence_ms = 90 * 1000;
    assert_string_equal(not_ready(), "");
    picture.max_silence_ms = 89 * 1000;
    assert_string_equal(not_ready(),
                        "nothing has arrived from upstream for 90 s: Connection refused");
}

TEST(a_relay_above_has_lost_its_primary)
{
    set_up();
    fake_components.above = (struct hops){
        .count = 2,
        .at = {
            {.to = {.host = "middle.example", .port = 6380}, .link = HOP_UP, .silence_ms = 8000},
            {.to = {.host = "root.example", .port = 6379}, .link = HOP_DOWN, .silence_ms = 4999}}};
    assert_string_equal(found(), ""); /* for a moment */
    fake_components.above.at[1].silence_ms = 25 * 1000;
    assert_string_equal(found(), "hop_down");
    assert_string_equal(words, "The relay middle.example:6380 above this one has no link to "
                               "root.example:6379 (down). It has received nothing for 25 s.\n");
    assert_int_equal(findings_hops_down(&picture.hops), 1);
    assert_int_equal(picture.silence_ms, 100);
    assert_int_equal(picture.root_silence_ms, 25 * 1000);
    picture.max_silence_ms = 24 * 1000;
    assert_string_equal(not_ready(), "nothing has arrived from upstream for 25 s");
    fake_components.above.at[0] = (struct hop){
        .to = {.host = "middle.example", .port = 6380}, .link = HOP_SYNC, .silence_ms = 6000};
    found();
    assert_string_equal(words, "The relay origin.example:6379 above this one has no link to "
                               "middle.example:6380 (sync). It has received nothing for 6 s.\n");
}

TEST(how_silent_it_may_be_is_asked_in_the_query)
{
    static const struct {
        const char *query;
        int64_t ms; /* -1: refused */
    } rows[] = {
        {"", 7},
        {"other=1&x", 7},
        {"max-silence=30s", 30 * 1000},
        {"max-silence=30", 30 * 1000},
        {"max-silence=500ms&other=1", 500},
        {"other=1&max-silence=2m", 2 * 60 * 1000},
        {"max-silence=0", 0},
        {"max-silence=", -1},
        {"max-silence=soon", -1},
        {"max-silence=-1s", -1},
        {"max-silence=30s30s", -1},
        {"max-silence=99999999999999999999", -1},
        {"max-silence=9223372036854775808ms", -1},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        int64_t ms = 7;
        bool good = readiness_read_query(rows[i].query, &ms);
        assert_int_equal(good, rows[i].ms >= 0);
        assert_int_equal(ms, good ? rows[i].ms : 7);
    }
}

TEST(a_replica_is_behind)
{
    set_up();
    fake_components.replicas[1] = replica(8, "2001:db8::1", 6380);
    fake_components.replica_count = 2;
    samples_add(&samples, &(struct sample){.at_ms = NOW_MS - 30000, .published = 40 * MIB});
    samples_add(&samples, &(struct sample){.at_ms = NOW_MS - 1000, .published = 50 * MIB});
    fake_components.replicas[1].acknowledged = 40 * MIB;
    assert_string_equal(found(), "replica_behind");
    assert_string_equal(words, "The replica [2001:db8::1]:6380 is behind by 10.0 MiB (30 s).\n");
    fake_components.replicas[0].acknowledged = 41 * MIB;
    found();
    assert_string_equal(
        words, "2 replicas, [2001:db8::1]:6380 the most, are behind by 10.0 MiB (30 s).\n");

    /* What has its RDB and is reading it in is not behind. */
    fake_components.replicas[0].acknowledged = fake_components.replicas[1].acknowledged = 0;
    assert_string_equal(found(), "");
    assert_int_equal(picture.states[ROW_LOADING], 2);
}

TEST(a_replica_is_about_to_be_cut)
{
    set_up();
    fake_components.store.window_bytes_max = 50 * MIB;
    fake_components.replicas[0].acknowledged = 2 * MIB;
    assert_string_equal(found(), "replica_nearly_cut");
    fake_components.replicas[0].acknowledged = 10 * MIB;
    assert_string_equal(found(), "");
}

TEST(a_replica_is_silent)
{
    set_up();
    fake_components.replicas[0].last_ack_ms = NOW_MS - 25000;
    assert_string_equal(found(), "replica_silent");
    assert_string_equal(words, "The replica 10.0.0.1:6379 has sent nothing for 25 s.\n");
    fake_components.replicas[0].acknowledges = false; /* one that never says anything */
    assert_string_equal(found(), "");
}

TEST(replicas_wait)
{
    set_up();
    fake_components.replicas[0].state = REPLICA_WAITING;
    fake_components.replicas[0].is_online = false;
    assert_string_equal(found(), "replica_waiting");
    fake_components.replicas[0].state = REPLICA_CLOSING;
    assert_string_equal(found(), "");
}

TEST(a_replica_cannot_read_the_rdb)
{
    set_up();
    fake_components.replicas[0].state = REPLICA_WAITING;
    fake_components.replicas[0].is_online = false;
    fake_components.replicas[0].delayed_ms = 25000;
    fake_components.sync_failures[0] = (struct sync_failure){
        .address = "10.0.0.1",
        .listening_port = 6379,
        .version = "8.1.0",
        .failures = 3,
        .rdb = {.is_valkey = true, .number = 80},
        .reading = RDB_UNREADABLE,
        .delayed_ms = 25000,
    };
    fake_components.sync_failure_count = 1;
    assert_string_equal(found(), "replica_cannot_load"); /* and not that there is nothing to do */
    assert_string_equal(words, "The replica 10.0.0.1:6379 has version 8.1.0, which cannot read the "
                               "RDB (VALKEY080). Failed full syncs so far: 3.\n");
    assert_string_equal(advice,
                        "Valkey 9.0 and later can read it. Upgrade this replica. If it has "
                        "rdb-version-check, relaxed works as long as the data needs nothing newer. "
                        "Its next full sync starts in 25 s.");
}

/* Redis does not say which version it is. */
TEST(a_replica_acknowledges_no_full_sync)
{
    set_up();
    fake_components.sync_failures[0] = (struct sync_failure){.address = "10.0.0.1",
                                                             .listening_port = 6379,
                                                             .version = "",
                                                             .failures = 9,
                                                             .rdb = {.number = 12},
                                                             .reading = RDB_UNKNOWN};
    fake_components.sync_failures[1] = fake_components.sync_failures[0];
    fake_components.sync_failures[1].failures = 4;
    fake_components.sync_failure_count = 2;
    assert_string_equal(found(), "replica_cannot_load");
    assert_string_equal(words,
                        "2 replicas, 10.0.0.1:6379 the most, have taken 9 full syncs in a row "
                        "(RDB REDIS0012) and acknowledged none.\n");
    assert_non_null(strstr(advice, "this RDB is for Redis 7.4 and later, and no Valkey."));
}

TEST(no_rdb_to_serve)
{
    set_up();
    fake_components.store.served_use = SNAPSHOT_USE_BEHIND_WINDOW;
    fake_components.store.snapshots[0].use = SNAPSHOT_USE_BEHIND_WINDOW;
    assert_string_equal(found(), "snapshot_unusable");
    assert_string_equal(words,
                        "No RDB can be served now: the backlog has moved past its offset.\n");
    assert_string_equal(not_ready(), ""); /* it is fetched when a replica comes */
}

TEST(a_newer_rdb_did_not_come)
{
    set_up();
    fake_components.link.refresh_error = "BGSAVE failed";
    fake_components.link.last_refresh_count = 1;
    fake_components.link.last_refreshes[0] =
        (struct link_refresh_report){.cause = "window", .outcome = "failed"};
    assert_string_equal(found(), "snapshot_refresh_failed");
    fake_components.link.last_refreshes[0].outcome = "complete";
    assert_string_equal(found(), "");
}

TEST(a_newer_rdb_came_too_late)
{
    set_up();
    fake_components.store.window_bytes = MIB;
    fake_components.link.refresh_outrun = (struct link_refresh_outrun){3 * MIB, 6000};
    fake_components.link.refresh_next_ms = NOW_MS + 50 * 60 * 1000;
    assert_string_equal(found(), "snapshot_outrun");
    assert_string_equal(words,
                        "A newer RDB arrived too late to be served. It took 6 s, in which the "
                        "stream grew by 3.0 MiB (512.0 KiB/s), more than the backlog keeps "
                        "(repl-backlog-size is 1.0 MiB).\n");
    assert_string_equal(advice,
                        "Set repl-backlog-size to 12.0 MiB or more. The next RDB is "
                        "fetched in 50 min (snapshot-min-interval), or when a replica waits "
                        "for one.");
    fake_components.link.refresh_next_ms = 0; /* on-demand */
    assert_string_equal(found(), "snapshot_outrun");
    assert_string_equal(advice, "Set repl-backlog-size to 12.0 MiB or more. The next RDB is "
                                "fetched when a replica waits for one.");
    fake_components.link.refresh_outrun = (struct link_refresh_outrun){0};
    assert_string_equal(found(), "");
}

TEST(the_rdb_is_of_a_version_that_a_replica_cannot_read)
{
    set_up();
    fake_components.link.announced_version = SERVER_VERSION(9, 0, 0);
    assert_string_equal(found(), "");
    fake_components.link.replicas_version = SERVER_VERSION(9, 1, 0);
    assert_string_equal(found(), "");
    fake_components.link.replicas_version = SERVER_VERSION(8, 1, 0);
    assert_string_equal(found(), "rdb_version_raised");
    assert_non_null(strstr(words, "an RDB of version 9.0.0 (VALKEY080)"));
    assert_non_null(strstr(advice, "set announce-version to 8.1.0"));
    fake_components.link.announce_is_fixed = true;
    assert_string_equal(found(), "rdb_version_raised");
    assert_non_null(strstr(advice, "set it to auto or to 8.1.0"));
}

TEST(a_full_sync_that_was_cut_off)
{
    set_up();
    fake_components.link.cut_off = "The primary closed the connection in a full sync.";
    fake_components.link.cut_off_advice = "That limit ended it.";
    assert_string_equal(found(), "full_sync_cut_off");
    assert_string_equal(words, "The primary closed the connection in a full sync.\n");
    assert_string_equal(advice, "That limit ended it.");
}

TEST(a_full_sync_over_two_connections_that_has_filled_the_backlog)
{
    set_up();
    fake_components.link.is_sync_backlog_full = true;
    assert_string_equal(found(), "sync_backlog_full");
    assert_non_null(strstr(words, "has reached repl-backlog-max-size"));
    assert_non_null(strstr(advice, "raise repl-backlog-max-size"));
}

TEST(rights_that_are_missing)
{
    set_up();
    fake_components.link.user = "relay";
    fake_components.link.denied_rights = PRIMARY_RIGHT_INFO;
    assert_string_equal(found(), "rights_missing");
    assert_string_equal(words, "The user \"relay\" lacks rights at the upstream server: +info.\n");
    assert_non_null(strstr(advice, "costs a full sync"));
    assert_non_null(strstr(advice, "ACL SETUSER relay +info"));
    fake_components.link.denied_rights =
        PRIMARY_RIGHT_REPLCONF | PRIMARY_RIGHT_PSYNC | PRIMARY_RIGHT_INFO;
    fake_components.store.error = "write: No space left on device";
    assert_string_equal(found(), "disk_trouble rights_missing"); /* a problem, and whole */
    assert_non_null(strstr(advice, "ACL SETUSER relay +info +replconf +psync"));
}

TEST(the_disk)
{
    set_up();
    fake_components.store.disk_free_bytes = 1024 * (uint64_t)MIB;
    assert_string_equal(found(), "disk_low");
    fake_components.store.error = "write: No space left on device";
    assert_string_equal(found(), "disk_trouble disk_low");
}

TEST(the_house_is_full)
{
    set_up();
    fake_components.counts.clients = 9000;
    fake_components.counts.replicas = 500;
    assert_string_equal(found(), "connections_full");
}
