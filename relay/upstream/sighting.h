/* SPDX-License-Identifier: MIT
 *
 * Where a Sentinel says that the primary of a group is, read from what it sends: the answer to
 * get-master-addr-by-name, and the messages of +switch-master. Nothing is believed that could not be an
 * address. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_SIGHTING_H
#define RELAY_UPSTREAM_SIGHTING_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/text.h"
#include "relay/resp/reply.h"
#include "relay/upstream/origin.h"

enum sighting {
    SIGHTING_ADDRESS,  /* there it is */
    SIGHTING_OTHER,    /* it is said of another group */
    SIGHTING_NONSENSE, /* `why` */
};

/* The answer to SENTINEL get-master-addr-by-name: host and port, or null for a name that it does not
 * know. Never SIGHTING_OTHER. */
enum sighting sighting_of_answer(const struct reply *reply, struct origin_address *out,
                                 struct text *why);

/* A message of the channel +switch-master: "name old-host old-port new-host new-port". */
enum sighting sighting_of_switch(struct bytes message, const char *group,
                                 struct origin_address *out, struct text *why);

/* What a Sentinel says while it is listened to, all of them arrays: "message", the channel, the message;
 * "pong" and nothing; "subscribe" or "unsubscribe", the channel, how many there are now. */
bool sighting_is_message(const struct reply *reply);
bool sighting_is_pong(const struct reply *reply);
bool sighting_is_subscription(const struct reply *reply, const char *word, const char *channel);

#endif
