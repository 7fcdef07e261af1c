/* SPDX-License-Identifier: MIT
 *
 * The reader of replies, and what a Sentinel's say: a whole reply is found as soon as it is whole and
 * not before, wherever the input ends; and an address that is believed could be one.
 */
#include "fuzz.h"

#include "../../relay/upstream/sentinel_reply.h"
#include "relay/resp/reply.h"

static void check_address(enum sentinel_reply sentinel_reply, const struct primary_address *address,
                          const struct text *why)
{
    CHECK((sentinel_reply == SENTINEL_REPLY_NONSENSE) == (why->length > 0));
    if (sentinel_reply != SENTINEL_REPLY_ADDRESS)
        return;
    size_t length = strnlen(address->host, sizeof(address->host));
    CHECK(length > 0 && length < sizeof(address->host));
    CHECK(address->port > 0);
    for (size_t i = 0; i < length; i++)
        CHECK(address->host[i] > ' ' && address->host[i] <= '~');
}

static void look(const struct reply *reply)
{
    struct primary_address address;
    struct text why;
    text_init(&why, 1000);
    check_address(sentinel_reply_of_answer(reply, &address, &why), &address, &why);
    for (size_t i = 0; i < reply->count; i++) {
        text_clear(&why);
        if (reply->item[i].kind == REPLY_BULK)
            check_address(sentinel_reply_of_switch(reply->item[i].text, "mymaster", &address, &why),
                          &address, &why);
    }
    (void)sentinel_reply_is_message(reply);
    (void)sentinel_reply_is_pong(reply);
    (void)sentinel_reply_is_subscription(reply, "subscribe", "+switch-master");
    text_fini(&why);
}

/* The text of every item lies in the reply. */
static void check_items(struct bytes input, const struct reply *reply)
{
    CHECK(reply->length > 0 && reply->length <= input.length);
    CHECK(reply->length <= REPLY_LENGTH_MAX);
    CHECK(reply->count >= 1 && reply->count <= REPLY_ITEMS_MAX);
    for (size_t i = 0; i < reply->count; i++) {
        const struct reply_item *item = &reply->item[i];
        bool has_text = item->kind <= REPLY_ERROR || item->kind == REPLY_BULK;
        CHECK(item->depth <= REPLY_DEPTH_MAX);
        CHECK(!has_text || item->text.length == 0 ||
              (item->text.data > input.data &&
               item->text.data + item->text.length < input.data + reply->length));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply reply;
    static struct reply again;
    struct bytes input = bytes_at(data, size);
    enum reply_result result;
    while ((result = reply_read(input, &reply)) == REPLY_WHOLE) {
        check_items(input, &reply);
        look(&reply);
        /* With one byte less it is not whole, with none behind it, it is. */
        CHECK(reply_read(bytes_first(input, reply.length - 1), &again) == REPLY_MORE);
        uint8_t *copy = exact_copy(bytes_first(input, reply.length));
        CHECK(reply_read(bytes_at(copy, reply.length), &again) == REPLY_WHOLE);
        CHECK(again.length == reply.length && again.count == reply.count);
        free(copy);
        input = bytes_skip(input, reply.length);
    }
    CHECK(result != REPLY_MORE || input.length < REPLY_LENGTH_MAX);
    CHECK((result == REPLY_NONSENSE) == (reply.error != NULL) || result == REPLY_MORE);
    return 0;
}
