/* SPDX-License-Identifier: MIT
 *
 * The open files that the relay may have, and who gets them: the store and the relay itself first, since
 * without them nobody is served, then connections. As redis-server does, the limit is raised as far as
 * the system lets us, and where that is too little maxclients is lowered. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_DESCRIPTORS_H
#define RELAY_CONFIG_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct config;
struct store_options;

struct descriptors_plan {
    uint64_t own;         /* what the store and the relay need */
    uint64_t wanted;      /* and the connections */
    unsigned clients_max; /* how many of these there can be; 0: too few to start */
};

/* How many segments there can be at a time: each is an open file and a mapping. Pure. */
uint64_t descriptors_segments_max(const struct store_options *store);

/* With `limit` open files. Pure. */
struct descriptors_plan descriptors_plan(const struct config *config, uint64_t limit);

/* Raises the limit, lowers maxclients where it must be, and says so. False: it is too few to start with;
 * `why` says what to do. */
MUST_CHECK bool descriptors_provide(struct config *config, struct text *why);

/* `after` is to be in force instead of `before`: raises the limit where it needs more open files. False: the
 * system does not allow that; `why`, and *name is the setting that asks for too much. */
MUST_CHECK bool descriptors_extend(const struct config *before, const struct config *after,
                                   const char **name, struct text *why);

#endif
