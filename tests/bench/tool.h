/* SPDX-License-Identifier: MIT
 *
 * What the programs of the benches share: they are told what to do by lines on stdin, answer by lines on
 * stdout, and end with the process that started them. Times are CLOCK_MONOTONIC, in nanoseconds, and so
 * may be compared between processes (and with Python's time.monotonic_ns).
 */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/resp/reader.h"

enum { LINE_MAX_BYTES = 256, PIECE = 512 * 1024, EMPTY_RDB_BYTES = 18 };

#define REPLID "0123456789abcdef0123456789abcdef01234567"

/* Says what is wrong, with errno where it is set, and ends the program. */
_Noreturn void die(const char *format, ...) PRINTF_LIKE(1, 2);

/* A line on stdout, at once. */
void tell(const char *format, ...) PRINTF_LIKE(1, 2);

/* The next line of stdin, without its end. False: stdin is closed. Blocks. */
bool next_order(char line[LINE_MAX_BYTES]);

/* Is there a line, read already and waiting? poll(2) does not know of it. */
bool has_order(void);

uint64_t now_ns(void);

uint16_t port_of(const char *word);
int listen_at(uint16_t port);

/* Blocking, until it is made. */
int connect_to(uint16_t port);
void set_nonblocking(int fd);

/* All of it, on a blocking socket. False: the peer is gone. */
bool send_all(int fd, const void *data, size_t length);

/* Throws away what a replica says (its acknowledgements), without copying it. False: it is gone. */
bool discard_input(int fd);

/* The smallest RDB there is. */
void empty_rdb(uint8_t rdb[EMPTY_RDB_BYTES]);

/* The handshake as a primary sees it: every word is good. */
struct handshake {
    struct reader reader;
    uint8_t input[4096];
    size_t length;
};

enum handshake_result { HANDSHAKE_MORE, HANDSHAKE_DONE, HANDSHAKE_GONE };

void handshake_init(struct handshake *handshake);

/* Reads once and answers. HANDSHAKE_DONE: PSYNC has come, and is not answered yet. */
enum handshake_result handshake_read(struct handshake *handshake, int fd);

/* "+FULLRESYNC <REPLID> <offset>" and "$<length>". Returns the length of what stands in `head`. */
size_t format_full_sync(char *head, size_t capacity, uint64_t offset, uint64_t length);

#endif
