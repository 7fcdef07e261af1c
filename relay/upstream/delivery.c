/* SPDX-License-Identifier: MIT */
#include "delivery.h"

void delivery_begin(struct delivery *delivery, struct snapshot *snapshot)
{
    payload_init(&delivery->payload);
    delivery->snapshot = snapshot;
}

bool delivery_had_mark(const struct delivery *delivery)
{
    return !delivery->payload.has_length;
}

enum delivery_result delivery_feed(struct delivery *delivery, struct bytes *input, struct text *why)
{
    struct payload *payload = &delivery->payload;
    while (payload->state == PAYLOAD_HEADER || payload->state == PAYLOAD_BODY) {
        if (input->length == 0)
            return DELIVERY_MORE;
        struct bytes pieces[2];
        bool before_body = payload->state == PAYLOAD_HEADER;
        payload_feed(payload, input, pieces);
        if (before_body && payload->state != PAYLOAD_HEADER && payload->has_length)
            snapshot_expect(delivery->snapshot, payload->length);
        for (int i = 0; i < 2; i++) {
            if (pieces[i].length > 0 && !snapshot_write(delivery->snapshot, pieces[i], why))
                return DELIVERY_FAILED;
        }
    }
    if (payload->state == PAYLOAD_DONE)
        return DELIVERY_DONE;
    char shown[160];
    text_format(
        why, "the origin sent no RDB but: %s",
        bytes_printable(bytes_at(payload->line, payload->line_length), shown, sizeof(shown)));
    return DELIVERY_FAILED;
}
