/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/crc64.h"

enum { BACKLOG = 4096 };

_Noreturn void die(const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, error != 0 ? ": %s\n" : "\n", strerror(error));
    exit(EXIT_FAILURE);
}

void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* ---- orders ---- */

static char orders[4096];
static size_t orders_length;

bool has_order(void)
{
    return memchr(orders, '\n', orders_length) != NULL;
}

bool next_order(char line[LINE_MAX_BYTES])
{
    while (!has_order()) {
        CHECK(orders_length < sizeof orders);
        ssize_t got = read(STDIN_FILENO, orders + orders_length, sizeof orders - orders_length);
        if (got == 0 || (got == -1 && errno != EINTR))
            return false;
        if (got > 0)
            orders_length += (size_t)got;
    }
    size_t length = (size_t)((char *)memchr(orders, '\n', orders_length) - orders);
    CHECK(length < LINE_MAX_BYTES);
    memcpy(line, orders, length);
    line[length] = '\0';
    orders_length -= length + 1;
    memmove(orders, orders + length + 1, orders_length);
    return true;
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* ---- sockets ---- */

uint16_t port_of(const char *word)
{
    uint64_t port;
    if (!bytes_to_u64(bytes_of(word), &port) || port == 0 || port > UINT16_MAX) {
        errno = 0;
        die("a port is expected, not '%s'", word);
    }
    return (uint16_t)port;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        die("socket");
    return fd;
}

static void set_flag(int fd, int level, int name)
{
    int on = 1;
    CHECK(setsockopt(fd, level, name, &on, sizeof on) == 0);
}

int listen_at(uint16_t port)
{
    int fd = new_socket();
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
    struct sockaddr_in address = loopback(port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1 || listen(fd, BACKLOG) == -1)
        die("cannot listen on port %u", port);
    return fd;
}

int connect_to(uint16_t port)
{
    int fd = new_socket();
    struct sockaddr_in address = loopback(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == -1)
        die("cannot connect to port %u", port);
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
    return fd;
}

void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1);
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
}

bool send_all(int fd, const void *data, size_t length)
{
    const uint8_t *place = data;
    while (length > 0) {
        ssize_t sent = send(fd, place, length, MSG_NOSIGNAL);
        if (sent == -1 && errno == EINTR)
            continue;
        if (sent == -1)
            return false;
        place += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool discard_input(int fd)
{
    for (;;) {
        /* TCP throws MSG_TRUNC's bytes away, the buffer is not touched. */
        ssize_t got = recv(fd, NULL, PIECE, MSG_TRUNC | MSG_DONTWAIT);
        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1)
            return errno == EAGAIN;
        if (got == 0)
            return false;
    }
}

/* ---- being a primary ---- */

void empty_rdb(uint8_t rdb[EMPTY_RDB_BYTES])
{
    memcpy(rdb, "REDIS0009\xff", 10);
    uint64_t crc = crc64(0, rdb, 10);
    for (int i = 0; i < 8; i++)
        rdb[10 + i] = (uint8_t)(crc >> (8 * i));
}

void handshake_init(struct handshake *handshake)
{
    handshake->length = 0;
    reader_init(&handshake->reader);
}

static const char INFO[] = "$20\r\nredis_version:7.0.15\r\n";

static const char *answer_to(const struct command *command)
{
    if (command->argument_count == 0)
        return "";
    if (bytes_is(command->argument[0], "PING"))
        return "+PONG\r\n";
    return bytes_is(command->argument[0], "INFO") ? INFO : "+OK\r\n";
}

static bool is_psync(const struct command *command)
{
    return command->argument_count > 0 &&
           (bytes_is(command->argument[0], "PSYNC") || bytes_is(command->argument[0], "SYNC"));
}

enum handshake_result handshake_read(struct handshake *handshake, int fd)
{
    static struct command command; /* too large for a stack of ours */
    ssize_t got = recv(fd, handshake->input + handshake->length,
                       sizeof handshake->input - handshake->length, 0);
    if (got == -1 && (errno == EAGAIN || errno == EINTR))
        return HANDSHAKE_MORE;
    if (got <= 0)
        return HANDSHAKE_GONE;
    handshake->length += (size_t)got;
    while (handshake->length > 0 && reader_next(&handshake->reader, handshake->input,
                                                handshake->length, &command) == READER_COMMAND) {
        if (is_psync(&command))
            return HANDSHAKE_DONE;
        const char *answer = answer_to(&command);
        if (!send_all(fd, answer, strlen(answer)))
            return HANDSHAKE_GONE;
        handshake->length -= command.length;
        memmove(handshake->input, handshake->input + command.length, handshake->length);
    }
    return handshake->length < sizeof handshake->input ? HANDSHAKE_MORE : HANDSHAKE_GONE;
}

size_t format_full_sync(char *head, size_t capacity, uint64_t offset, uint64_t length)
{
    int written = snprintf(head, capacity, "+FULLRESYNC %s %" PRIu64 "\r\n$%" PRIu64 "\r\n", REPLID,
                           offset, length);
    CHECK(written > 0 && (size_t)written < capacity);
    return (size_t)written;
}
