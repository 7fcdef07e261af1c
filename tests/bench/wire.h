/* SPDX-License-Identifier: MIT
 *
 * What a bare replica's bytes cross: a plain socket, or TLS. Never blocks.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st;

enum { WIRE_HEADER_BYTES = 5 };

/* How a replica's bytes come. UNREAD: under TLS, but what is thrown away is not decrypted either: real
 * replicas do that on machines of their own, and here it would take from the cores of who is measured. */
enum wire_kind { WIRE_PLAIN, WIRE_TLS, WIRE_TLS_UNREAD };

struct wire {
    int fd;
    enum wire_kind kind;
    struct ssl_st *ssl; /* NULL: plain */
    bool is_unread;     /* OpenSSL does not get this wire's records any more */
    uint8_t header[WIRE_HEADER_BYTES];
    size_t header_length;
    size_t record_left; /* of the record whose header that is */
};

enum { WIRE_AGAIN = -1, WIRE_GONE = -2 };

/* To loopback. Under TLS whoever answers is believed: the benches look at bytes, not at names. */
void wire_open(struct wire *wire, uint16_t port, enum wire_kind kind);
void wire_close(struct wire *wire);

/* Bytes received, or WIRE_AGAIN, or WIRE_GONE. */
long wire_receive(struct wire *wire, void *into, size_t capacity);

/* The same for bytes that nobody wants to see: a plain socket throws them away uncopied, TLS puts them
 * into `scratch`, or passes over their records (and to the end of the last one, beyond the capacity);
 * where they are unread everything must be discarded from the first call on. */
long wire_discard(struct wire *wire, void *scratch, size_t capacity);

/* A few bytes; they must fit. False: the peer is gone. */
bool wire_say(struct wire *wire, const void *data, size_t length);

#endif
