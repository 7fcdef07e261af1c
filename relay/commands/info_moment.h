/* SPDX-License-Identifier: MIT
 *
 * What the other components say of themselves at one moment. INFO takes it once, and all its sections
 * are written from it: workers go on while thread 0 writes, and two looks at them would tell two things.
 *
 * Strings of the link are valid until the link is used. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_INFO_MOMENT_H
#define RELAY_COMMANDS_INFO_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/text.h"
#include "relay/downstream/downstream.h"
#include "relay/downstream/holders.h"
#include "relay/store/status.h"
#include "relay/upstream/link.h"

struct commands;

struct info_moment {
    const struct commands *commands;
    int64_t now_ms;
    struct link_status link;
    struct store_status store;
    struct downstream_counts counts;
    uint64_t replicas;         /* of which there is a line */
    struct holders holders;    /* of the window; as the lines */
    struct text replica_lines; /* "slave0:ip=...,port=...", as primaries show them */
    size_t full_syncs;         /* of which there is a line below; INFO_FULL_SYNCS_MAX at the most */
    struct text full_sync_lines; /* "full_sync0:id=...,ip=..." */
};

/* `has_lines`: each replica is looked at. */
void info_moment_take(struct info_moment *moment, const struct commands *commands, bool has_lines);
void info_moment_fini(struct info_moment *moment);

/* Full syncs that have a line of their own: those that have come first. */
enum { INFO_FULL_SYNCS_MAX = 32 };

/* Monitors take a line apart at ',' and '=': an announced address must not bring any. */
enum { INFO_ADDRESS_MAX = 256 };
const char *info_plain_address(const char *address, char out[INFO_ADDRESS_MAX]);

/* When the snapshot that is served became complete, in seconds since 1970; without one, when the relay was started. */
int64_t info_last_save_s(const struct commands *commands);

/* Whole seconds from then until the moment, none below 0. */
int64_t info_moment_seconds_since(const struct info_moment *moment, int64_t then_ms);

#endif
