/* SPDX-License-Identifier: MIT
 *
 * The kinds of values that settings have: how each is read from text, written back, and told in words
 * to somebody who got it wrong. A kind knows the type of the place that it fills, and nothing of what
 * the setting is for; settings.c has the table of settings. Limits are part of a kind:
 *
 *     static const struct value_kind workers = {
 *         VALUE_COUNT, .least = 1, .most = 64, .expected = "a number from 1 to 64"};
 *
 * Thread: thread 0.
 */
#ifndef RELAY_CONFIG_VALUE_H
#define RELAY_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct value_kind;

enum value_style {
    VALUE_INI,   /* as it is written in the ini: 64mb, 500ms; a secret is "***" */
    VALUE_PLAIN, /* as CONFIG GET tells it: in bytes and seconds; a secret is "" */
};

/* False: the text is no such value; nothing has changed. A value that was there is freed. */
typedef bool value_parse_fn(const struct value_kind *kind, const char *string, void *place);
typedef void value_print_fn(const struct value_kind *kind, const void *place,
                            enum value_style style, struct text *out);
typedef void value_fini_fn(void *place);

struct value_kind {
    value_parse_fn *parse;
    value_print_fn *print;
    value_fini_fn *fini; /* NULL: the value owns no memory */
    const char *expected;
    int64_t least;
    int64_t most;
    const char *const *names; /* of an enumeration: one a value, from 0 on, then NULL */
};

value_parse_fn value_parse_string, value_parse_word, value_parse_host, value_parse_bind,
    value_parse_command, value_parse_host_names, value_parse_candidates, value_parse_sentinel,
    value_parse_ack, value_parse_renames, value_parse_version, value_parse_compression,
    value_parse_port, value_parse_count, value_parse_size, value_parse_rate, value_parse_period,
    value_parse_duration, value_parse_grace, value_parse_seconds, value_parse_name,
    value_parse_proxy, value_parse_snapshot_source;
/* Ports of WebSockets. */
value_parse_fn value_parse_networks, value_parse_ws_port, value_parse_ws_path;
value_print_fn value_print_string, value_print_secret, value_print_candidates, value_print_sentinel,
    value_print_ack, value_print_version, value_print_compression, value_print_port,
    value_print_count, value_print_size, value_print_duration, value_print_grace,
    value_print_seconds, value_print_name, value_print_proxy, value_print_networks,
    value_print_snapshot_source;
value_fini_fn value_fini_string;

/* The first members of a kind, by the C type of the place. */
#define VALUE_OWNED(parse_fn, print_fn)                                                            \
    .parse = (parse_fn), .print = (print_fn), .fini = value_fini_string
#define VALUE_STRING VALUE_OWNED(value_parse_string, value_print_string) /* const char *: a line */
#define VALUE_WORD VALUE_OWNED(value_parse_word, value_print_string)     /* no blanks in it */
#define VALUE_HOST VALUE_OWNED(value_parse_host, value_print_string)     /* may be empty */
#define VALUE_COMMAND VALUE_OWNED(value_parse_command, value_print_string) /* may be empty */
#define VALUE_SECRET VALUE_OWNED(value_parse_string, value_print_secret)
#define VALUE_BIND VALUE_OWNED(value_parse_bind, value_print_string) /* addresses, blanks between */
#define VALUE_HOST_NAMES /* names, blanks between; may be empty */                                 \
    VALUE_OWNED(value_parse_host_names, value_print_string)
#define VALUE_CANDIDATES /* struct primary_candidates: "host port, host port"; may be empty */     \
    .parse = value_parse_candidates, .print = value_print_candidates
#define VALUE_SENTINEL /* struct sentinel_options, its name and addresses; may be empty */         \
    .parse = value_parse_sentinel, .print = value_print_sentinel
#define VALUE_SNAPSHOT_SOURCE /* struct snapshot_source */                                         \
    .parse = value_parse_snapshot_source, .print = value_print_snapshot_source
#define VALUE_ACK .parse = value_parse_ack, .print = value_print_ack /* struct ack_rule */
#define VALUE_RENAMES /* const char *, of renames.h; a secret */                                   \
    VALUE_OWNED(value_parse_renames, value_print_secret)
#define VALUE_PROXY /* const char *, of proxy.h; its password is a secret; may be empty */         \
    VALUE_OWNED(value_parse_proxy, value_print_proxy)
#define VALUE_NETWORKS /* struct networks; may be empty */                                         \
    .parse = value_parse_networks, .print = value_print_networks
#define VALUE_WS_PORT .parse = value_parse_ws_port, .print = value_print_port /* uint16_t */
#define VALUE_WS_PATH VALUE_OWNED(value_parse_ws_path, value_print_string)    /* of ws:// */
#define VALUE_VERSION /* uint32_t: SERVER_VERSION; 0: auto */                                      \
    .parse = value_parse_version, .print = value_print_version
#define VALUE_COMPRESSION /* struct compression */                                                 \
    .parse = value_parse_compression, .print = value_print_compression
#define VALUE_PORT .parse = value_parse_port, .print = value_print_port    /* uint16_t */
#define VALUE_COUNT .parse = value_parse_count, .print = value_print_count /* unsigned */
#define VALUE_SIZE .parse = value_parse_size, .print = value_print_size    /* uint64_t: bytes */
#define VALUE_RATE                                                                                 \
    .parse = value_parse_rate, .print = value_print_size /* uint64_t: bytes a second; 0: none */
#define VALUE_DURATION                                   /* int64_t: milliseconds */               \
    .parse = value_parse_duration, .print = value_print_duration
#define VALUE_PERIOD                                                                               \
    .parse = value_parse_period, .print = value_print_duration /* int64_t: milliseconds; 0: never */
#define VALUE_GRACE /* int64_t: milliseconds, or -1 for "no" */                                    \
    .parse = value_parse_grace, .print = value_print_grace
#define VALUE_SECONDS .parse = value_parse_seconds, .print = value_print_seconds /* int */
#define VALUE_NAME .parse = value_parse_name, .print = value_print_name /* an enum, from 0 on */

#endif
