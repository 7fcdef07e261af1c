/* SPDX-License-Identifier: MIT
 *
 * What a proxy answers: the first byte says which kind it is, and whether we have a user. However the answers are cut,
 * the result is the same, and no byte behind the last one is asked for.
 */
#include "fuzz.h"

#include "../../relay/net/proxy_handshake.h"

static const char *const urls[] = {"http://p", "http://me:secret@p", "socks5://p",
                                   "socks5://me:secret@p"};

/* Returns how many bytes were fed. */
static size_t speak(const char *url, struct bytes answers, struct cuts *cuts,
                    enum proxy_result *result, char error[PROXY_ERROR_MAX])
{
    struct proxy proxy;
    struct proxy_handshake handshake;
    struct bytes rest = answers;
    CHECK(proxy_parse(url, &proxy));
    proxy_handshake_begin(&handshake, &proxy, "primary.example.org", 6379);
    *result = PROXY_MORE;
    while (*result == PROXY_MORE && rest.length > 0) {
        proxy_handshake_sent(&handshake, proxy_handshake_output(&handshake).length);
        size_t wants = proxy_handshake_wants(&handshake);
        CHECK(wants > 0 && wants <= PROXY_ANSWER_MAX);
        struct bytes next = bytes_first(rest, wants < rest.length ? wants : rest.length);
        struct bytes piece = cuts != NULL ? cuts_next(cuts, &next) : next;
        uint8_t *copy = exact_copy(piece);
        *result = proxy_handshake_feed(&handshake, bytes_at(copy, piece.length));
        free(copy);
        rest = bytes_skip(rest, piece.length);
    }
    if (*result == PROXY_FAILED)
        CHECK(handshake.error[0] != '\0');
    for (const char *at = handshake.error; *at != '\0'; at++)
        CHECK(*at >= ' ' && *at <= '~');
    memcpy(error, handshake.error, PROXY_ERROR_MAX);
    return answers.length - rest.length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *url = urls[data[0] % LENGTH_OF(urls)];
    struct cuts cuts = cuts_of(data, size);
    struct bytes answers = bytes_at(data + 1, size - 1);
    char error[PROXY_ERROR_MAX];
    char cut_error[PROXY_ERROR_MAX];
    enum proxy_result result;
    enum proxy_result cut_result;
    size_t fed = speak(url, answers, NULL, &result, error);
    size_t cut_fed = speak(url, answers, &cuts, &cut_result, cut_error);
    CHECK(result == cut_result && strcmp(error, cut_error) == 0);
    /* Up to two bytes are wanted at a time, so a failure may be known a byte sooner or later; a success ends at its
     * byte. */
    CHECK(result == PROXY_FAILED ? cut_fed <= fed + 1 : cut_fed == fed);
    return 0;
}
