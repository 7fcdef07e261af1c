/* SPDX-License-Identifier: MIT
 *
 * The head of an HTTP/1.x answer (RFC 9112) to a request of ours, read from the bytes that have come so far.
 *
 * Pure. Any thread.
 */
#ifndef RELAY_NET_HTTP_ANSWER_H
#define RELAY_NET_HTTP_ANSWER_H

#include <stddef.h>

#include "http_lines.h"

enum { HTTP_ANSWER_MAX = 8 * 1024, HTTP_ANSWER_REASON_MAX = 64 };

enum http_answer_result {
    HTTP_ANSWER_WHOLE, /* *answer is filled */
    HTTP_ANSWER_PART,  /* more bytes are needed */
    HTTP_ANSWER_BAD,   /* this is no HTTP */
};

struct http_answer {
    size_t length;                       /* bytes that belong to the head */
    int code;                            /* from 100 to 599 */
    char reason[HTTP_ANSWER_REASON_MAX]; /* behind the code, printable, cut; may be "" */
};

/* Reads the head that `data` begins with. `fn` (NULL: nobody) is told of each header, also of a partial head. */
enum http_answer_result http_answer_read(struct bytes data, http_header_fn *fn, void *arg,
                                         struct http_answer *answer);

/* How many bytes a head that is partial lacks at least: so many can be read, and none that stands behind it. */
size_t http_answer_lacks(struct bytes data);

#endif
