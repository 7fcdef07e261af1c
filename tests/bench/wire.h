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

struct wire {
    int fd;
    struct ssl_st *ssl; /* NULL: plain */
};

enum { WIRE_AGAIN = -1, WIRE_GONE = -2 };

/* To loopback. With `tls` whoever answers is believed: the benches look at bytes, not at names. */
void wire_open(struct wire *wire, uint16_t port, bool tls);
void wire_close(struct wire *wire);

/* Bytes received, or WIRE_AGAIN, or WIRE_GONE. */
long wire_receive(struct wire *wire, void *into, size_t capacity);

/* The same for bytes that nobody wants to see: a plain socket throws them away uncopied, TLS puts them
 * into `scratch`. */
long wire_discard(struct wire *wire, void *scratch, size_t capacity);

/* A few bytes; they must fit. False: the peer is gone. */
bool wire_say(struct wire *wire, const void *data, size_t length);

#endif
