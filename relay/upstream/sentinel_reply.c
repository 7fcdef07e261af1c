/* SPDX-License-Identifier: MIT */
#include "sentinel_reply.h"

#include "relay/base/check.h"

enum { SHOWN_MAX = 160, SWITCH_WORDS = 5, REASON_MAX = 512 };

static enum sentinel_reply sentinel_reply_nonsense(struct text *why, const char *what,
                                                   struct bytes said)
{
    char shown[SHOWN_MAX];
    text_format(why, "%s: %s", what, bytes_printable(said, shown, sizeof(shown)));
    return SENTINEL_REPLY_NONSENSE;
}

static enum sentinel_reply take_address(struct bytes host, struct bytes port,
                                        struct primary_address *out, struct text *why)
{
    struct text reason;
    text_init(&reason, REASON_MAX);
    bool good = primary_address_parse(host, port, out, &reason);
    if (!good)
        text_format(why, "it names an address that cannot be: %s", text_string(&reason));
    text_fini(&reason);
    return good ? SENTINEL_REPLY_ADDRESS : SENTINEL_REPLY_NONSENSE;
}

enum sentinel_reply sentinel_reply_of_answer(const struct reply *reply, struct primary_address *out,
                                             struct text *why)
{
    CHECK(reply->count > 0);
    const struct reply_item *item = reply->item;
    if (item[0].kind == REPLY_NULL) {
        text_format(why, "it does not know the name");
        return SENTINEL_REPLY_NONSENSE;
    }
    if (item[0].kind == REPLY_ERROR)
        return sentinel_reply_nonsense(why, "it answered", item[0].text);
    if (reply->count != 3 || item[1].kind != REPLY_BULK || item[2].kind != REPLY_BULK) {
        text_format(why, "it answered something else than a host and a port");
        return SENTINEL_REPLY_NONSENSE;
    }
    return take_address(item[1].text, item[2].text, out, why);
}

/* "<group> <old host> <old port> <new host> <new port>". Those of all groups that the Sentinel
 * watches come on the one channel. */
enum sentinel_reply sentinel_reply_of_switch(struct bytes message, const char *group,
                                             struct primary_address *out, struct text *why)
{
    struct bytes words[SWITCH_WORDS];
    struct bytes rest = message;
    size_t count = 0;
    for (bool ended = false; !ended; count++) {
        size_t length = bytes_find(rest, ' ');
        struct bytes word = bytes_first(rest, length);
        if (count == 0 && !bytes_equal(word, bytes_of(group)))
            return SENTINEL_REPLY_OTHER;
        if (count == SWITCH_WORDS)
            return sentinel_reply_nonsense(why, "it sent a +switch-master with too many words",
                                           message);
        words[count] = word;
        ended = length == rest.length;
        rest = bytes_skip(rest, ended ? length : length + 1);
    }
    if (count != SWITCH_WORDS)
        return sentinel_reply_nonsense(why, "it sent a +switch-master with too few words", message);
    return take_address(words[3], words[4], out, why);
}

static bool is_bulk(const struct reply_item *item, const char *expected)
{
    return item->kind == REPLY_BULK && bytes_equal(item->text, bytes_of(expected));
}

bool sentinel_reply_is_message(const struct reply *reply)
{
    const struct reply_item *item = reply->item;
    return reply->count == 4 && item[0].number == 3 && is_bulk(&item[1], "message") &&
           item[2].kind == REPLY_BULK && item[3].kind == REPLY_BULK;
}

/* Who has subscribed gets a PONG as a message, with the argument that PING did not have. */
bool sentinel_reply_is_pong(const struct reply *reply)
{
    const struct reply_item *item = reply->item;
    return reply->count == 3 && is_bulk(&item[1], "pong") && is_bulk(&item[2], "");
}

bool sentinel_reply_is_subscription(const struct reply *reply, const char *word,
                                    const char *channel)
{
    const struct reply_item *item = reply->item;
    return reply->count == 4 && item[0].number == 3 && is_bulk(&item[1], word) &&
           is_bulk(&item[2], channel) && item[3].kind == REPLY_INTEGER;
}
