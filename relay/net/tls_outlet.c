/* SPDX-License-Identifier: MIT */
#include "tls_outlet.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { KERNEL_EXTRA = 1024 }; /* that a socket's buffer keeps beside each record, about */

/* The records of the session that has its turn. A buffer for each of them would be cold when it is used,
 * and 10,000 of them too much. */
static _Thread_local struct {
    const struct tls_outlet *whose; /* where there is something */
    size_t length;
    uint8_t bytes[TLS_UNSENT_MAX];
} gathered;

/* ---- OpenSSL's side ---- */

static int tls_outlet_take(BIO *bio, const char *data, size_t length, size_t *taken)
{
    const struct tls_outlet *outlet = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *taken = 0;
    if (outlet->owed != NULL || length > TLS_UNSENT_MAX - gathered.length) {
        BIO_set_retry_write(bio);
        return 0;
    }
    /* Two sessions never gather at a time: each call of the transport ends with a push. */
    CHECK(gathered.length == 0 || gathered.whose == outlet);
    gathered.whose = outlet;
    memcpy(gathered.bytes + gathered.length, data, length);
    gathered.length += length;
    *taken = length;
    return 1;
}

/* OpenSSL flushes at the end of what it says; we do when the call is over. */
static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "outlet");
    if (method == NULL)
        return;
    CHECK(BIO_meth_set_write_ex(method, tls_outlet_take) == 1);
    CHECK(BIO_meth_set_ctrl(method, control) == 1);
}

BIO *tls_outlet_bio(struct tls_outlet *outlet)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, make_method) == 0);
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, outlet);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- the socket's side ---- */

unsigned tls_outlet_room(const struct tls_outlet *outlet)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof memory;
    if (getsockopt(outlet->fd, SOL_SOCKET, SO_MEMINFO, memory, &length) == -1)
        return 1;
    uint32_t whole = memory[SK_MEMINFO_SNDBUF];
    uint32_t used = memory[SK_MEMINFO_WMEM_QUEUED];
    uint32_t records = whole > used ? (whole - used) / (TLS_RECORD_MAX + KERNEL_EXTRA) : 0;
    if (records == 0)
        return 1;
    return records < OUTLET_RECORDS_MAX ? records : OUTLET_RECORDS_MAX;
}

/* Sends of `data` what goes. False: the connection is broken. */
static bool send_some(int fd, const uint8_t *data, size_t length, size_t *sent)
{
    *sent = 0;
    while (*sent < length) {
        ssize_t count = send(fd, data + *sent, length - *sent, MSG_NOSIGNAL);
        if (count >= 0)
            *sent += (size_t)count;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

static void forget_owed(struct tls_outlet *outlet)
{
    free(outlet->owed);
    outlet->owed = NULL;
    outlet->owed_length = outlet->owed_sent = 0;
}

static bool send_owed(struct tls_outlet *outlet)
{
    size_t sent;
    if (!send_some(outlet->fd, outlet->owed + outlet->owed_sent,
                   outlet->owed_length - outlet->owed_sent, &sent))
        return false;
    outlet->owed_sent += sent;
    if (outlet->owed_sent == outlet->owed_length)
        forget_owed(outlet);
    return true;
}

static bool send_gathered(struct tls_outlet *outlet)
{
    size_t sent;
    size_t length = gathered.length;
    gathered.length = 0;
    if (!send_some(outlet->fd, gathered.bytes, length, &sent))
        return false;
    if (sent == length)
        return true;
    /* The buffer of the thread is for the next session; OpenSSL has counted these records, so
     * they are kept and go before all others. */
    outlet->owed = malloc(length - sent);
    if (outlet->owed == NULL)
        return false; /* malloc has set errno, as send does */
    outlet->owed_length = length - sent;
    memcpy(outlet->owed, gathered.bytes + sent, outlet->owed_length);
    return true;
}

enum tls_outlet_result tls_outlet_push(struct tls_outlet *outlet, struct error *error)
{
    /* Where something is owed, nothing was gathered. */
    CHECK(gathered.length == 0 || (gathered.whose == outlet && outlet->owed == NULL));
    bool works = outlet->owed != NULL ? send_owed(outlet) : send_gathered(outlet);
    if (!works) {
        (void)error_set_system(error, errno, "cannot send");
        forget_owed(outlet);
        return OUTLET_BROKEN;
    }
    return outlet->owed != NULL ? OUTLET_OWES : OUTLET_EMPTY;
}

void tls_outlet_fini(struct tls_outlet *outlet)
{
    if (gathered.whose == outlet)
        gathered.length = 0;
    forget_owed(outlet);
}
