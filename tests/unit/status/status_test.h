/* SPDX-License-Identifier: MIT
 *
 * A relay in good order, for the tests of this room to break one thing in.
 */
#ifndef TESTS_UNIT_STATUS_STATUS_TEST_H
#define TESTS_UNIT_STATUS_STATUS_TEST_H

#include "../../../relay/status/picture.h"
#include "fake_clock.h"
#include "fake_components.h"
#include "parts.h"
#include "relay/base/clock.h"
#include "test.h"

enum { NOW_MS = 1000 * 1000, MIB = 1024 * 1024 };

static struct samples samples;
static struct picture picture;
static struct tls_certificates certificates;

/* One that is in step. */
static inline struct peer_status replica(uint64_t id, const char *address, uint16_t port)
{
    return (struct peer_status){
        .id = id,
        .peer = "10.0.0.1:40000",
        .local = "10.0.0.9:6380",
        .state = REPLICA_STREAMING,
        .state_name = "streaming",
        .address = address,
        .listening_port = port,
        .version = "8.0.1",
        .is_online = true,
        .acknowledges = true,
        .acknowledged = 50 * MIB,
        .sent_offset = 50 * MIB,
        .last_ack_ms = NOW_MS - 500,
        .connected_ms = NOW_MS - 60 * 1000,
        .sent_bytes = 5 * MIB,
    };
}

static inline void set_up(void)
{
    fake_components_reset();
    fake_clock_set(NOW_MS);
    samples = (struct samples){.count = 0};
    certificates.count = 0;
    fake_components.link.is_up = true;
    fake_components.link.state = LINK_STREAMING;
    fake_components.link.state_name = "streaming";
    fake_components.link.candidates = 1;
    fake_components.link.last_io_ms = NOW_MS - 100;
    fake_components.link.stream_heard_ms = NOW_MS - 100;
    fake_components.link.ping_period_ms = 10 * 1000;
    fake_components.link.up_since_ms = NOW_MS - 60 * 1000;
    fake_components.store = (struct store_status){
        .exists = true,
        .is_served = true,
        .number = 1,
        .replid = replid_none(),
        .published = 50 * MIB,
        .boundary = 50 * MIB,
        .durable = 50 * MIB,
        .first = 10 * MIB,
        .segments = 1,
        .segment_disk_bytes = 64 * MIB,
        .has_served = true,
        .served_use = SNAPSHOT_USE_NOW,
        .snapshot_count = 1,
        .snapshots = {{.offset = 20 * MIB,
                       .bytes = 3 * MIB,
                       .bytes_expected = 3 * MIB,
                       .age_ms = 5000,
                       .is_complete = true,
                       .is_verified = true,
                       .is_durable = true,
                       .use = SNAPSHOT_USE_NOW}},
        .window_bytes = 1024 * (uint64_t)MIB,
        .window_bytes_max = 4096 * (uint64_t)MIB,
        .has_disk = true,
        .disk_free_bytes = 8192 * (uint64_t)MIB,
        .disk_bytes = 16384 * (uint64_t)MIB,
        .error = "",
    };
    fake_components.replicas[0] = replica(7, "10.0.0.1", 6379);
    fake_components.replica_count = 1;
}

/* One that ends so many seconds from now. */
static inline void add_certificate(const char *section, const char *setting, const char *subject,
                                   int64_t left_s)
{
    struct tls_certificate *one = &certificates.at[certificates.count++];
    *one = (struct tls_certificate){.section = section,
                                    .setting = setting,
                                    .count = 1,
                                    .expires_s = clock_wall_us() / 1000000 + left_s,
                                    .serial = "0A"};
    snprintf(one->subject, sizeof(one->subject), "%s", subject);
}

static inline void take(enum picture_order order, size_t rows_max)
{
    const struct status_sources sources = {
        .store = fake_store(),
        .link = fake_link(),
        .downstream = fake_downstream(),
        .clients_max = 10000,
        .certificates = &certificates,
    };
    picture_take(&picture, &sources, &samples, NOW_MS - 90 * 1000, order, rows_max);
}

#endif
