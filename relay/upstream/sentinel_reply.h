/* SPDX-License-Identifier: MIT
 *
 * Where a Sentinel says that the primary of a group is, read from what it sends: the answer to
 * get-master-addr-by-name, and the messages of +switch-master. Nothing is believed that could not be an
 * address. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_SENTINEL_REPLY_H
#define RELAY_UPSTREAM_SENTINEL_REPLY_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/text.h"
#include "relay/resp/reply.h"
#include "relay/upstream/primary_address.h"

enum sentinel_reply {
    SENTINEL_REPLY_ADDRESS,  /* there it is */
    SENTINEL_REPLY_OTHER,    /* it is said of another group */
    SENTINEL_REPLY_NONSENSE, /* `why` */
};

/* The answer to SENTINEL get-master-addr-by-name: host and port, or null for a name that it does not
 * know. Never SENTINEL_REPLY_OTHER. */
enum sentinel_reply sentinel_reply_of_answer(const struct reply *reply, struct primary_address *out,
                                             struct text *why);

/* A message of the channel +switch-master: "name old-host old-port new-host new-port". */
enum sentinel_reply sentinel_reply_of_switch(struct bytes message, const char *group,
                                             struct primary_address *out, struct text *why);

/* What a Sentinel says while it is listened to, all of them arrays: "message", the channel, the message;
 * "pong" and nothing; "subscribe" or "unsubscribe", the channel, how many there are now. */
bool sentinel_reply_is_message(const struct reply *reply);
bool sentinel_reply_is_pong(const struct reply *reply);
bool sentinel_reply_is_subscription(const struct reply *reply, const char *word,
                                    const char *channel);

#endif
