/* SPDX-License-Identifier: MIT */
#include "resolver.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop_private.h"

/* An answer is kept until a timer of no delay takes it up: so it is never told from inside
 * lookup_start, and libevent has done with its resolver when that is freed. */
struct lookup {
    struct loop *loop;
    struct evdns_base *dns;                    /* NULL for a numeric address */
    struct evdns_getaddrinfo_request *request; /* NULL: answered, or nothing to ask */
    struct timer *timer;
    struct orphan orphan; /* once it is cancelled */
    struct addresses found;
    char error[LOOKUP_ERROR_MAX];
    char host[ADDRESS_HOST_MAX];
    lookup_fn *fn; /* NULL: cancelled */
    void *arg;
};

const struct lookup_files lookup_system_files = {"/etc/resolv.conf", "/etc/hosts"};

static void fail(struct lookup *lookup, const char *why)
{
    snprintf(lookup->error, sizeof lookup->error, "%s: %s", lookup->host, why);
}

/* As the C library says it: that is what operators look for. libevent has one answer for servers
 * that are silent and for those that fail, and it may be better the next time. */
static const char *error_in_words(int error)
{
    if (error == EVUTIL_EAI_NONAME)
        return "Name or service not known";
    if (error == EVUTIL_EAI_NODATA)
        return "No address associated with hostname";
    if (error == EVUTIL_EAI_MEMORY)
        return "Memory allocation failure";
    return "Temporary failure in name resolution";
}

static void take_answer(struct lookup *lookup, const struct evutil_addrinfo *answer)
{
    struct addresses *found = &lookup->found;
    for (; answer != NULL && found->count < LOOKUP_ADDRESSES_MAX; answer = answer->ai_next)
        if (address_take(answer->ai_addr, (socklen_t)answer->ai_addrlen,
                         &found->list[found->count]))
            found->count++;
}

static void on_answer(int error, struct evutil_addrinfo *answer, void *arg)
{
    struct lookup *lookup = arg;
    lookup->request = NULL;
    take_answer(lookup, answer);
    if (answer != NULL)
        evutil_freeaddrinfo(answer);
    if (lookup->found.count == 0)
        fail(lookup, error_in_words(error == 0 ? EVUTIL_EAI_NONAME : error));
    timer_arm(lookup->timer, 0);
}

/* A file that is missing or names no server leaves libevent's default, a server on this machine, as
 * the C library does it; names of the hosts file are found all the same. */
static void read_files(struct evdns_base *dns, const struct lookup_files *files)
{
    const int options = DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC;
    (void)evdns_base_resolv_conf_parse(dns, options, files->resolv_conf);
    (void)evdns_base_load_hosts(dns, files->hosts);
    /* Queries in mIxEd case are a defence that some name servers do not survive. */
    (void)evdns_base_set_option(dns, "randomize-case", "0");
}

static void ask(struct lookup *lookup, const struct lookup_files *files, uint16_t port)
{
    lookup->dns = evdns_base_new(loop_base(lookup->loop), 0);
    if (lookup->dns == NULL) {
        on_answer(EVUTIL_EAI_MEMORY, NULL, lookup);
        return;
    }
    read_files(lookup->dns, files);
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    const struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    /* Calls on_answer before it returns NULL when there is nothing to wait for. */
    lookup->request =
        evdns_getaddrinfo(lookup->dns, lookup->host, service, &hints, on_answer, lookup);
}

static void free_lookup(struct lookup *lookup)
{
    orphan_leave(&lookup->orphan);
    timer_free(&lookup->timer);
    if (lookup->dns != NULL)
        evdns_base_free(lookup->dns, 0);
    free(lookup);
}

static void tell(void *arg)
{
    struct lookup *lookup = arg;
    CHECK(lookup->request == NULL);
    if (lookup->fn != NULL)
        lookup->fn(&lookup->found, lookup->error, lookup->arg);
    free_lookup(lookup);
}

struct lookup *lookup_start(struct loop *loop, const struct lookup_files *files, const char *host,
                            uint16_t port, lookup_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    lookup->timer = timer_new(loop, tell, lookup);
    if (lookup->timer == NULL) {
        free(lookup);
        return NULL;
    }
    lookup->loop = loop;
    lookup->fn = fn;
    lookup->arg = arg;
    int length = snprintf(lookup->host, sizeof lookup->host, "%s", host);
    if (address_parse(host, port, &lookup->found.list[0])) {
        lookup->found.count = 1;
        timer_arm(lookup->timer, 0);
    } else if (length <= 0 || (size_t)length >= sizeof lookup->host) {
        on_answer(EVUTIL_EAI_NONAME, NULL, lookup);
    } else {
        ask(lookup, files, port);
    }
    return lookup;
}

/* Its requests are still under way inside libevent, which tells when they are gone. */
void lookup_cancel(struct lookup **where)
{
    struct lookup *lookup = *where;
    *where = NULL;
    if (lookup == NULL)
        return;
    lookup->fn = NULL;
    loop_adopt(lookup->loop, &lookup->orphan, NULL, lookup);
    if (lookup->request != NULL)
        evdns_getaddrinfo_cancel(lookup->request);
}
