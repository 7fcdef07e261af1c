/* SPDX-License-Identifier: MIT
 *
 * The head of an HTTP/1.0 or HTTP/1.1 request (RFC 9112), read from the bytes that have come so far. Only
 * requests without a body are accepted, and only GET and HEAD. Whatever two readers could understand
 * differently is refused: a folded header, a bare CR, a blank before a colon, two Host headers.
 *
 * Pure. Any thread.
 */
#ifndef RELAY_NET_HTTP_HEAD_H
#define RELAY_NET_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "http_lines.h"
#include "relay/net/http_message.h"

enum http_head_result {
    HTTP_HEAD_WHOLE, /* *head is filled */
    HTTP_HEAD_PART,  /* more bytes are needed */
    HTTP_HEAD_BAD,   /* head->code and head->why are filled; nothing behind it can be read */
};

struct http_head {
    size_t length;               /* bytes of the buffer that belong to it */
    bool is_head;                /* HEAD: the reply goes without its body */
    bool is_last;                /* the client wants no other reply on this connection */
    int code;                    /* of a refusal: 400, 405, 413, 501, 505; 0: it is none */
    const char *why;             /* of a refusal, a line of text for the client */
    struct http_request request; /* without `peer`; its strings are in the buffer, or in `host` */
    char host[ADDRESS_HOST_MAX];
};

/* Reads the head that `data` begins with. With HTTP_HEAD_WHOLE the strings of the request are terminated in
 * `data`, which then cannot be read a second time. */
enum http_head_result http_head_read(char *data, size_t length, struct http_head *head);

/* The same; `fn` is told of each header, also of a head that turns out to be partial or bad, and again when it is
 * read again. NULL: nobody is told. */
enum http_head_result http_head_read_with(char *data, size_t length, http_header_fn *fn, void *arg,
                                          struct http_head *head);

#endif
