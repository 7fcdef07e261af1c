/* SPDX-License-Identifier: MIT
 *
 * Reads replies as a server sends them (RESP2): a status, an error, a number, a bulk string, null, or an
 * array of them. A reply is laid out flat, each array before its elements:
 *
 *     while ((result = reply_read(input, &reply)) == REPLY_WHOLE) {
 *         act(&reply);                       views into the input
 *         input = bytes_skip(input, reply.length);
 *     }
 *
 * It keeps nothing between two calls: while a reply is not whole, the same bytes and more behind them
 * are given again. What is longer, deeper or wider than the limits is refused as soon as it is
 * announced. Pure. Any thread.
 */
#ifndef RELAY_RESP_REPLY_H
#define RELAY_RESP_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"

enum {
    REPLY_LENGTH_MAX = 16 * 1024, /* of a whole reply, headers included */
    REPLY_ITEMS_MAX = 64,         /* arrays counted, too */
    REPLY_DEPTH_MAX = 4,          /* arrays in arrays */
};

enum reply_kind {
    REPLY_STATUS,
    REPLY_ERROR,
    REPLY_INTEGER,
    REPLY_BULK,
    REPLY_NULL, /* a null bulk string, or a null array */
    REPLY_ARRAY,
};

struct reply_item {
    enum reply_kind kind;
    unsigned depth;    /* 0: the reply itself; 1: an element of it; ... */
    struct bytes text; /* of a status, an error (without its sign) and a bulk string */
    int64_t number;    /* of an integer; elements of an array */
};

struct reply {
    size_t length; /* bytes of the input that the reply took */
    size_t count;
    struct reply_item item[REPLY_ITEMS_MAX];
    const char *error; /* after REPLY_NONSENSE: what is wrong, in words */
};

enum reply_result {
    REPLY_MORE,     /* the input ends before the reply does */
    REPLY_WHOLE,    /* one reply */
    REPLY_NONSENSE, /* not RESP2, or over a limit: see reply.error */
};

/* Reads one reply from the beginning of `input`. A caller with a buffer of REPLY_LENGTH_MAX bytes never
 * gets REPLY_MORE when it is full. */
enum reply_result reply_read(struct bytes input, struct reply *reply);

#endif
