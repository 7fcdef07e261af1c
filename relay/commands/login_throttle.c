/* SPDX-License-Identifier: MIT */
#include "relay/commands/login_throttle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { NETWORK_BYTES = 8 }; /* of a /64 */

static struct guess_place *login_throttle_find(struct login_throttle *login_throttle,
                                               const struct guess_key *key)
{
    for (int i = 0; i < LOGIN_THROTTLE_PLACES; i++) {
        struct guess_place *place = &login_throttle->place[i];
        if (place->paid_ms != 0 && memcmp(&place->key, key, sizeof(*key)) == 0)
            return place;
    }
    return NULL;
}

static struct guess_place *find_or_make(struct login_throttle *login_throttle,
                                        const struct guess_key *key)
{
    struct guess_place *place = login_throttle_find(login_throttle, key);
    if (place != NULL)
        return place;
    /* Free ones have 0 and come first. Of taken ones the address that has nearly paid loses least: an attacker with a
     * thousand addresses gains a try each, and no more. */
    place = &login_throttle->place[0];
    for (int i = 1; i < LOGIN_THROTTLE_PLACES; i++) {
        if (login_throttle->place[i].paid_ms < place->paid_ms)
            place = &login_throttle->place[i];
    }
    *place = (struct guess_place){.key = *key};
    return place;
}

struct guess login_throttle_take(struct login_throttle *login_throttle, struct guess_key key,
                                 int64_t now_ms)
{
    struct guess_place *place = find_or_make(login_throttle, &key);
    if (now_ms - place->last_ms > GUESS_BURST_MS)
        place->wrong_told = place->slow_told = false;
    int64_t owed_ms = place->paid_ms > now_ms ? place->paid_ms - now_ms : 0;
    int64_t wait_ms = owed_ms + GUESS_COST_MS - LOGIN_THROTTLE_FREE * GUESS_COST_MS;
    if (wait_ms < 0)
        wait_ms = 0;
    bool is_refused = wait_ms > GUESS_WAIT_MS_MAX;
    struct guess guess = {.wait_ms = is_refused ? GUESS_REFUSED : wait_ms,
                          .is_slow_news = wait_ms > 0 && !place->slow_told};
    if (wait_ms > 0)
        place->slow_told = true;
    place->last_ms = now_ms;
    /* Who is refused has not been told whether the password was right, so it costs nothing: else a crowd of refused ones
     * would keep the address out for ever. */
    if (!is_refused)
        place->paid_ms = now_ms + owed_ms + GUESS_COST_MS;
    return guess;
}

bool login_throttle_may_try(const struct login_throttle *login_throttle, struct guess_key key,
                            int64_t now_ms)
{
    for (int i = 0; i < LOGIN_THROTTLE_PLACES; i++) {
        const struct guess_place *place = &login_throttle->place[i];
        if (place->paid_ms != 0 && memcmp(&place->key, &key, sizeof(key)) == 0)
            return place->paid_ms - now_ms <= (LOGIN_THROTTLE_FREE - 1) * GUESS_COST_MS;
    }
    return true;
}

void login_throttle_pardon(struct login_throttle *login_throttle, struct guess_key key)
{
    struct guess_place *place = login_throttle_find(login_throttle, &key);
    if (place != NULL && place->paid_ms > GUESS_COST_MS)
        place->paid_ms -= GUESS_COST_MS;
}

bool login_throttle_is_wrong_news(struct login_throttle *login_throttle, struct guess_key key)
{
    struct guess_place *place = login_throttle_find(login_throttle, &key);
    if (place == NULL || place->wrong_told)
        return false;
    place->wrong_told = true;
    return true;
}

/* The address in `peer`, without brackets, port and interface. */
static bool login_throttle_copy_host(const char *peer, char out[INET6_ADDRSTRLEN])
{
    bool has_brackets = peer[0] == '[';
    const char *host = has_brackets ? peer + 1 : peer;
    size_t length = strcspn(host, has_brackets ? "]%" : ":");
    if (length >= INET6_ADDRSTRLEN)
        return false;
    memcpy(out, host, length);
    out[length] = '\0';
    return true;
}

struct guess_key guess_key_of(const char *peer)
{
    static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct guess_key key = {.byte = {0}};
    char host[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;
    if (!login_throttle_copy_host(peer, host))
        return key;
    if (inet_pton(AF_INET, host, &four) == 1) {
        memcpy(key.byte, mapped, sizeof(mapped));
        memcpy(key.byte + sizeof(mapped), &four, sizeof(four));
    } else if (inet_pton(AF_INET6, host, &six) == 1) {
        bool is_four = memcmp(&six, mapped, sizeof(mapped)) == 0;
        memcpy(key.byte, &six, is_four ? sizeof(six) : (size_t)NETWORK_BYTES);
    }
    return key;
}
