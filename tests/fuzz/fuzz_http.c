/* SPDX-License-Identifier: MIT
 *
 * The heads of HTTP requests: however they are cut, they are read the same; what is read is inside the
 * bytes, and another request begins behind it.
 */
#include "fuzz.h"

#include "../../relay/net/http_head.h"
#include "relay/net/http.h"

static void check_string(const char *string, size_t length)
{
    for (const char *at = string; *at != '\0'; at++)
        CHECK((unsigned char)*at >= ' ' || *at == '\t');
    CHECK(strlen(string) <= length);
}

static void check_head(const struct http_head *head, size_t length)
{
    CHECK(head->length > 0 && head->length <= length);
    check_string(head->request.path, length);
    check_string(head->request.query, length);
    check_string(head->request.authorization, length);
    CHECK(strlen(head->request.host) < ADDRESS_HOST_MAX);
}

/* One request. Returns how many bytes it took; 0: no more can be read. */
static size_t read_one(struct bytes input, struct cuts *cuts)
{
    struct http_head whole;
    struct http_head cut;
    uint8_t *copy = exact_copy(input);
    enum http_head_result result = http_head_read((char *)copy, input.length, &whole);
    if (result == HTTP_HEAD_WHOLE)
        check_head(&whole, input.length);
    if (result == HTTP_HEAD_BAD)
        CHECK(whole.code >= 400 && whole.why != NULL && whole.is_last);
    enum http_head_result last = HTTP_HEAD_PART;
    struct bytes rest = input;
    while (last == HTTP_HEAD_PART && rest.length > 0) {
        (void)cuts_next(cuts, &rest);
        uint8_t *part = exact_copy(bytes_first(input, input.length - rest.length));
        last = http_head_read((char *)part, input.length - rest.length, &cut);
        if (last == HTTP_HEAD_WHOLE && result == HTTP_HEAD_WHOLE) {
            CHECK(cut.length == whole.length && cut.is_last == whole.is_last);
            CHECK(strcmp(cut.request.path, whole.request.path) == 0);
        }
        free(part);
    }
    CHECK(last == result && (result != HTTP_HEAD_BAD || cut.code == whole.code));
    free(copy);
    return result == HTTP_HEAD_WHOLE ? whole.length : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cuts cuts = cuts_of(data, size);
    struct bytes input = bytes_at(data, size < HTTP_REQUEST_MAX ? size : HTTP_REQUEST_MAX);
    size_t taken;
    while (input.length > 0 && (taken = read_one(input, &cuts)) > 0)
        input = bytes_skip(input, taken);
    return 0;
}
