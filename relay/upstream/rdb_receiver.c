/* SPDX-License-Identifier: MIT */
#include "rdb_receiver.h"

void rdb_receiver_begin(struct rdb_receiver *rdb_receiver, struct snapshot *snapshot)
{
    payload_init(&rdb_receiver->payload, snapshot_received(snapshot));
    rdb_receiver->snapshot = snapshot;
}

bool rdb_receiver_had_mark(const struct rdb_receiver *rdb_receiver)
{
    return !rdb_receiver->payload.has_length;
}

enum rdb_receiver_result rdb_receiver_feed(struct rdb_receiver *rdb_receiver, struct bytes *input,
                                           struct text *why)
{
    struct payload *payload = &rdb_receiver->payload;
    struct snapshot *snapshot = rdb_receiver->snapshot;
    if (snapshot_owes(snapshot) && !snapshot_write_owed(snapshot, why))
        return RDB_RECEIVER_FAILED;
    if (snapshot_owes(snapshot))
        return RDB_RECEIVER_HELD;
    while (payload->state == PAYLOAD_HEADER || payload->state == PAYLOAD_BODY) {
        if (input->length == 0)
            return RDB_RECEIVER_MORE;
        struct bytes pieces[2];
        bool before_body = payload->state == PAYLOAD_HEADER;
        payload_feed(payload, input, pieces);
        if (before_body && payload->state != PAYLOAD_HEADER && payload->has_length)
            snapshot_expect(snapshot, payload->length);
        for (int i = 0; i < 2; i++) {
            if (pieces[i].length > 0 && !snapshot_write(snapshot, pieces[i], why))
                return RDB_RECEIVER_FAILED;
        }
        if (snapshot_owes(snapshot))
            return RDB_RECEIVER_HELD;
    }
    if (payload->state == PAYLOAD_DONE)
        return RDB_RECEIVER_DONE;
    char shown[160];
    text_format(
        why, "the primary sent no RDB but: %s",
        bytes_printable(bytes_at(payload->line, payload->line_length), shown, sizeof(shown)));
    return RDB_RECEIVER_FAILED;
}
