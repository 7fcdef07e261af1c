/* SPDX-License-Identifier: MIT
 *
 * The links between us and the primary at the root, where relays follow relays. Each relay tells its own
 * link and those above it in INFO relay, a line for each:
 *
 *     upstream_hops:2
 *     upstream_hop0:host=10.0.0.5,port=6380,link=up,silence=0       our link
 *     upstream_hop1:host=10.0.0.1,port=6379,link=down,silence=31    that of the relay 10.0.0.5
 *
 * Plain values, and how they are written and read. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_HOP_H
#define RELAY_UPSTREAM_HOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/upstream/primary_address.h"

enum { HOPS_MAX = 8 };

enum hop_link { HOP_UP, HOP_SYNC /* a full sync is under way */, HOP_DOWN };

/* A relay's link to whom it follows. */
struct hop {
    struct primary_address to;
    enum hop_link link;
    int64_t silence_ms; /* since the last byte of the stream came over it */
};

struct hops {
    size_t count;
    struct hop at[HOPS_MAX]; /* the nearest first */
};

const char *hop_link_name(enum hop_link link);

/* "host=...,port=...,link=...,silence=SECONDS" */
void hop_format(const struct hop *hop, struct text *out);

/* For how long nothing new can have come from the root: the longest silence of all. */
int64_t hops_silence_ms(const struct hops *hops);

/* Of what INFO relay of somebody else says, the links above him, in their order; at most HOPS_MAX. What is
 * no such line, or comes out of order, is passed over. */
void hops_read(struct bytes section, struct hops *out);

#endif
